import { isHoldfastError } from '@holdfast/shared/errors';
import type { Intents, RefusedAssets } from '@holdfast/shared/intents';
import { createBackoff, type Backoff } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';
import type { AssetRef, MediaHost } from '@holdfast/shared/media-host';

const REMOVE_WITHIN_MS = 3_000;
/** An answer that was lost may belong to an upload that the host is still finishing: look again later. */
const LOOK_AGAIN_MS = 60_000;
const RETRY_REMOVAL_MS = 5_000;
const HOLD_AT_MOST = 10_000;

export interface Undo {
  id: string;
  /** What may be on the host; null when it never saw a byte. */
  ref: AssetRef | null;
  /** True when the host may still store the asset after we have looked. */
  unsettled: boolean;
  /** True when Redis was asked to accept the upload: it may have done so unheard, or do so yet. */
  acceptanceAsked: boolean;
  /** Of its claim; null without one. */
  claimKey: string | null;
  /** Of an upload with an Idempotency-Key: other tries may have its id by now. */
  owner?: Owner;
}

export interface Owner {
  /** Whether what the host has under this id is still ours to remove, for the next seconds. Never rejects. */
  holds(): Promise<boolean>;
  /** Gives the id up; false when another try has it: its intent is not ours to drop. */
  letGo(): Promise<boolean>;
}

export interface Undoing {
  /** Removes what a refused upload left. Never throws; what fails is remembered and retried. */
  undo(upload: Undo): Promise<void>;
  stop(): void;
}

export function createUndoing(deps: {
  host: MediaHost;
  intents: Intents;
  refusedAssets: RefusedAssets;
  log: Logger;
  rests?: Backoff;
}): Undoing {
  const { host, intents, refusedAssets, log, rests = createBackoff() } = deps;
  const stopped = new AbortController();
  /** What waits for Redis, and how long its removal is put off. */
  const held = new Map<Undo, number | null>();
  let catchingUp = false;

  /** The remembered removal first, then the intent: a crash between leaves too much memory, never too little. */
  const remember = async (
    { id, ref, owner, acceptanceAsked, claimKey }: Undo,
    dueInMs: number | null,
  ): Promise<void> => {
    if (owner !== undefined && !(await owner.letGo())) return;
    if (ref !== null && dueInMs !== null) await refusedAssets.add(ref, Date.now() + dueInMs);
    await (acceptanceAsked ? intents.abandon(id, claimKey) : intents.drop(id));
  };

  const catchUp = async (): Promise<void> => {
    if (catchingUp) return;
    catchingUp = true;
    while (held.size > 0 && !stopped.signal.aborted) {
      await rests.rest(stopped.signal);
      // Once stopped the sweep finds the intent. An asset that is left says itself whether it was committed.
      for (const [upload, dueInMs] of stopped.signal.aborted ? [] : held) {
        try {
          await remember(upload, dueInMs);
          held.delete(upload);
          rests.reset();
        } catch (error) {
          if (isHoldfastError(error, 'QUEUE_UNAVAILABLE', 'CATALOG_UNAVAILABLE')) break;
        }
      }
    }
    catchingUp = false;
  };

  return {
    undo: async (upload) => {
      if (upload.owner !== undefined && !(await upload.owner.holds())) return;
      let dueInMs: number | null = null;
      if (upload.ref !== null) {
        try {
          await host.remove(upload.ref, AbortSignal.timeout(REMOVE_WITHIN_MS));
          if (upload.unsettled) dueInMs = LOOK_AGAIN_MS;
        } catch (error) {
          log.warn('upload.removal_failed', { id: upload.id, error });
          dueInMs = RETRY_REMOVAL_MS;
        }
      }
      try {
        await remember(upload, dueInMs);
      } catch (error) {
        log.warn('upload.undo_waits_for_redis', { id: upload.id, error });
        if (held.size >= HOLD_AT_MOST) return;
        held.set(upload, dueInMs);
        void catchUp();
      }
    },
    stop: () => stopped.abort(),
  };
}
