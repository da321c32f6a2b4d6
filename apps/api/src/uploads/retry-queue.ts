import { isHoldfastError } from '@holdfast/foundation/errors';
import type { Backoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';

const HOLD_AT_MOST = 10_000;

/**
 * Items that wait in memory until Redis serves again. `work` takes one to its end; it throws QUEUE_UNAVAILABLE or CATALOG_UNAVAILABLE
 * while Redis is away.
 */
export function createRetryQueue<Item>(
  work: (item: Item) => Promise<void>,
  { newBackoff, log }: { newBackoff: () => Backoff; log: Logger },
) {
  const backoff = newBackoff();
  const held = new Map<string, Item>();
  const failing = new Set<string>();
  const stopped = new AbortController();
  let running = false;

  const retryOnce = async (): Promise<void> => {
    for (const [id, item] of held) {
      try {
        await work(item);
        backoff.reset();
        failing.delete(id);
        // Another item may have come under the same id meanwhile.
        if (held.get(id) === item) held.delete(id);
      } catch (error) {
        if (isHoldfastError(error, 'QUEUE_UNAVAILABLE', 'CATALOG_UNAVAILABLE')) return;
        // An item that fails for a reason of its own does not hold up the others, and is logged once.
        if (!failing.has(id)) log.warn('upload.retry_failed', { id, error });
        failing.add(id);
      }
    }
  };
  const run = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (held.size > 0 && !stopped.signal.aborted) {
      await backoff.rest(stopped.signal);
      if (!stopped.signal.aborted) await retryOnce();
    }
    running = false;
  };

  return {
    /** False when the queue is full. */
    add: (id: string, item: Item): boolean => {
      if (held.size >= HOLD_AT_MOST) return false;
      held.set(id, item);
      void run();
      return true;
    },
    find: (id: string): Item | undefined => held.get(id),
    size: (): number => held.size,
    /** Forgets nothing, but tries no more. */
    stop: (): void => stopped.abort(),
  };
}
