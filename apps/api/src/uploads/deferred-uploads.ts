import { isHoldfastError } from '@holdfast/shared/errors';
import type { AcceptOutcome, FulfilledClaim, Intents } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import { createBackoff, type Backoff } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';
import type { MediaRecord } from '@holdfast/shared/media';

const HOLD_AT_MOST = 10_000;

/**
 * Uploads that were acknowledged while Redis was away. The host carries all of them, with the commit mark, so losing this
 * memory loses nothing: a sync finds them. It only makes them appear sooner, and answers for them until then.
 */
export interface DeferredUploads {
  /** False when too many are held already: the upload must then be refused. Its claim is fulfilled with it. */
  add(record: MediaRecord, claim: FulfilledClaim | null): boolean;
  find(id: string): MediaRecord | null;
  size(): number;
  stop(): void;
}

export function createDeferredUploads(deps: {
  intents: Pick<Intents, 'accept'>;
  queues: Pick<MediaQueues, 'jobsOf'>;
  log: Logger;
  rests?: Backoff;
}): DeferredUploads {
  const { intents, queues, log, rests = createBackoff() } = deps;
  const held = new Map<string, { record: MediaRecord; claim: FulfilledClaim | null }>();
  const failing = new Set<string>();
  const stopped = new AbortController();
  let catchingUp = false;

  const settle = async (record: MediaRecord, claim: FulfilledClaim | null): Promise<AcceptOutcome> =>
    intents.accept({ record, committed: true, claim, jobs: await queues.jobsOf(record) });
  const catchUp = async (): Promise<void> => {
    if (catchingUp) return;
    catchingUp = true;
    try {
      while (held.size > 0) {
        await rests.rest(stopped.signal);
        if (stopped.signal.aborted) return;
        for (const [id, { record, claim }] of held) {
          try {
            const outcome = await settle(record, claim);
            rests.reset();
            held.delete(id);
            failing.delete(id);
            log.info('upload.deferred_settled', { id, outcome });
          } catch (error) {
            if (isHoldfastError(error, 'QUEUE_UNAVAILABLE')) break;
            // One that fails for a reason of its own holds up no other, and is told of once.
            if (!failing.has(id)) log.warn('upload.deferred_not_settled', { id, error });
            failing.add(id);
          }
        }
      }
    } finally {
      catchingUp = false;
    }
  };

  return {
    add: (record, claim) => {
      if (held.size >= HOLD_AT_MOST) return false;
      held.set(record.id, { record, claim });
      void catchUp();
      return true;
    },
    find: (id) => {
      const entry = held.get(id);
      return entry === undefined ? null : { ...entry.record, status: 'deferred' };
    },
    size: () => held.size,
    stop: () => stopped.abort(),
  };
}
