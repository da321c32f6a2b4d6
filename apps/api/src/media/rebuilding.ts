import type { RedisClient, RedisKeys } from '@holdfast/shared/redis';
import type { SyncState } from '@holdfast/shared/sync';

/** Whether an emptied catalog is being refilled at this moment. */
export interface Rebuilding {
  isOn(): Promise<boolean>;
}

export interface RebuildingOptions {
  syncState: Pick<SyncState, 'readRunning'>;
  redis: Pick<RedisClient, 'get'>;
  keys: Pick<RedisKeys, 'born'>;
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number;
}

const KNOWN_FOR_MS = 1_000;
/** From the new beginning of a catalog to the start of the run that refills it. */
const RUN_BEGINS_WITHIN_MS = 5_000;

/**
 * On while a recovery run is under way, and from the moment this process sees that the catalog it knew is gone until that
 * run begins. Asked at most once a second; when Redis does not answer, no.
 */
export function watchRebuilding(options: RebuildingOptions): Rebuilding {
  const { syncState, redis, keys, now = () => performance.now() } = options;
  let known: { on: boolean; at: number } | undefined;
  let bornSeen: string | null = null;
  let lostAt = -Infinity;
  return {
    isOn: async () => {
      const time = now();
      if (known !== undefined && time - known.at < KNOWN_FOR_MS) return known.on;
      const [running, born] = await Promise.all([
        syncState.readRunning().catch(() => null),
        redis.get(keys.born).catch(() => undefined),
      ]);
      // A catalog that never began is new, not emptied.
      if (born !== undefined && bornSeen !== null && born !== bornSeen) lostAt = time;
      if (typeof born === 'string') bornSeen = born;
      const on = running?.run.trigger === 'recovery' || time - lostAt < RUN_BEGINS_WITHIN_MS;
      known = { on, at: time };
      return on;
    },
  };
}
