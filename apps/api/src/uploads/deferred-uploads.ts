import { isHoldfastError } from '@holdfast/foundation/errors';
import type { Backoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '@holdfast/shared/media';

interface DeferredUpload {
  /** Of an upload that was acknowledged. */
  record: MediaRecord | null;
  /** Throws QUEUE_UNAVAILABLE or CATALOG_UNAVAILABLE while Redis is away. */
  finish: () => Promise<void>;
  hasFailed: boolean;
}

const HOLD_AT_MOST = 10_000;

/**
 * Uploads whose end is deferred until Redis serves again: acknowledged ones for their acceptance, refused ones to be forgotten. Losing
 * this memory loses nothing: the host carries the commit mark of the first, so a sync finds them, and a sweep finds the intents of
 * the others. It only makes files appear sooner, and answers for them until then.
 */
export function createDeferredUploads({ newBackoff, log }: { newBackoff: () => Backoff; log: Logger }) {
  const backoff = newBackoff();
  const waiting = new Map<string, DeferredUpload>();
  const stopped = new AbortController();
  let running = false;

  const finishAll = async (): Promise<void> => {
    for (const [id, upload] of waiting) {
      try {
        await upload.finish();
        backoff.reset();
        // Another may have come under the same id meanwhile.
        if (waiting.get(id) === upload) waiting.delete(id);
      } catch (error) {
        if (isHoldfastError(error, 'QUEUE_UNAVAILABLE', 'CATALOG_UNAVAILABLE')) return;
        // One that fails for a reason of its own does not hold up the others, and is logged once.
        if (!upload.hasFailed) log.warn('upload.retry_failed', { id, error });
        upload.hasFailed = true;
      }
    }
  };
  const run = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (waiting.size > 0 && !stopped.signal.aborted) {
      await backoff.rest(stopped.signal);
      if (!stopped.signal.aborted) await finishAll();
    }
    running = false;
  };

  return {
    /** False when too many wait: an upload that is not acknowledged yet must then be refused. */
    add: (id: string, finish: DeferredUpload['finish'], record: MediaRecord | null = null): boolean => {
      if (waiting.size >= HOLD_AT_MOST) return false;
      waiting.set(id, { record, finish, hasFailed: false });
      void run();
      return true;
    },
    /** The record of an acknowledged one. */
    find: (id: string): MediaRecord | null => {
      const record = waiting.get(id)?.record ?? null;
      return record && { ...record, status: 'deferred' };
    },
    /** How many of them are acknowledged. */
    size: (): number => [...waiting.values()].filter(({ record }) => record !== null).length,
    /** Forgets nothing, but tries no more. */
    stop: (): void => stopped.abort(),
  };
}
