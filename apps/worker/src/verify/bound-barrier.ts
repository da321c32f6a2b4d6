import type { Barrier } from '@holdfast/shared/durability';
import { HoldfastError } from '@holdfast/shared/errors';
import { withinMs } from '@holdfast/shared/lifecycle';

/** Above the longest a living server takes: two barriers of 5 s, one behind the other. */
const LIMIT_MS = 15_000;

/**
 * The same barrier, but no wait without end: its connection has no timeout of its own, and one that is dead without a
 * sign would hold the job for as long as its lock is renewed. Such a connection is made anew.
 */
export function boundBarrier(barrier: Barrier, reconnect: () => void): Barrier {
  return {
    epoch: () => barrier.epoch(),
    confirm: async () => {
      const level = await withinMs(LIMIT_MS, barrier.confirm(), null);
      if (level !== null) return level;
      reconnect();
      throw new HoldfastError('CATALOG_UNAVAILABLE', 'the durability barrier was not answered');
    },
  };
}
