import { setTimeout as pause } from 'node:timers/promises';
import type { Intents, RefusedAssets } from '@holdfast/shared/intents';
import type { Logger } from '@holdfast/shared/logging';
import type { AssetRef, MediaHost } from '@holdfast/shared/media-host';

const REMOVE_WITHIN_MS = 3_000;
/** An answer that was lost may belong to an upload that the host is still finishing: look again later. */
const LOOK_AGAIN_MS = 60_000;
const RETRY_REMOVAL_MS = 5_000;
const RETRY_REDIS_MS = 1_000;
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
}): Undoing {
  const { host, intents, refusedAssets, log } = deps;
  const stopped = new AbortController();
  let held = 0;

  /** The remembered removal first, then the intent: a crash between leaves too much memory, never too little. */
  const remember = async (
    { id, ref, owner, acceptanceAsked, claimKey }: Undo,
    dueInMs: number | null,
  ): Promise<void> => {
    if (owner !== undefined && !(await owner.letGo())) return;
    if (ref !== null && dueInMs !== null) await refusedAssets.add(ref, Date.now() + dueInMs);
    await (acceptanceAsked ? intents.abandon(id, claimKey) : intents.drop(id));
  };

  const untilRedisIsBack = async (upload: Undo, dueInMs: number | null): Promise<void> => {
    if (held >= HOLD_AT_MOST) return;
    held += 1;
    try {
      for (;;) {
        await pause(RETRY_REDIS_MS, undefined, { signal: stopped.signal, ref: false });
        const done = await remember(upload, dueInMs).then(
          () => true,
          () => false,
        );
        if (done) return;
      }
    } catch {
      // Stopped: the sweep finds the intent. An asset that is left says itself whether it was committed.
    } finally {
      held -= 1;
    }
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
        void untilRedisIsBack(upload, dueInMs);
      }
    },
    stop: () => stopped.abort(),
  };
}
