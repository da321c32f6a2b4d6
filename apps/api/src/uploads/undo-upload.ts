import type { HeldClaim } from '@holdfast/shared/idempotency';
import type { AssetRef } from '@holdfast/shared/media-host';
import type { Uploads } from './uploads.js';

const REMOVE_WITHIN_MS = 3_000;
/** An answer that was lost may belong to an upload that the host is still finishing: look again later. */
const LOOK_AGAIN_MS = 60_000;
/** Redis may be emptied before it is removed: then a sync takes it for a file that counts. */
const RETRY_REMOVAL_MS = 1_000;

/** An upload that must leave nothing behind. */
export interface Undo {
  id: string;
  /** What may be on the host; null when it never received a byte. */
  ref: AssetRef | null;
  /** The host may still store the asset after it was removed. */
  unsettled?: boolean;
  /** Redis was asked to accept the upload: it may have done so without an answer, or do so yet. */
  acceptanceAsked?: boolean;
  /** Of an upload with an Idempotency-Key: another try may work under its id by now. */
  claim?: UndoneClaim | null;
}

interface UndoneClaim {
  held: HeldClaim;
  /** Whether the claim was certainly ours a moment ago, for when Redis cannot tell. */
  isFresh: () => boolean;
  /** The request continues under the key; otherwise the key is free for another try, under another id. */
  keep: boolean;
}

/** Removes what a refused upload left. Never throws; what fails is remembered and retried. */
export async function undoUpload(uploads: Uploads, upload: Undo): Promise<void> {
  const { id, claim } = upload;
  // What the host has under this id must be ours to remove, for the next seconds.
  if (claim && !(await renew(uploads, claim.held).catch(() => claim.isFresh()))) return;
  const removeAgainAt = await removeAsset(uploads, upload);
  const finish = (): Promise<void> => remember(uploads, upload, removeAgainAt);
  try {
    await finish();
  } catch (error) {
    uploads.log.warn('upload.undo_waits_for_redis', { id, error });
    uploads.deferred.add(id, finish);
  }
}

async function renew({ claims }: Uploads, claim: HeldClaim): Promise<boolean> {
  return (await claims.renew([claim]))[0] === true;
}

/** Answers when the removal must be tried again; null when the host has nothing any more. */
async function removeAsset({ host, log }: Uploads, { id, ref, unsettled }: Undo): Promise<number | null> {
  if (ref === null) return null;
  try {
    await host.remove(ref, AbortSignal.timeout(REMOVE_WITHIN_MS));
    return unsettled === true ? Date.now() + LOOK_AGAIN_MS : null;
  } catch (error) {
    log.warn('upload.removal_failed', { id, error });
    return Date.now() + RETRY_REMOVAL_MS;
  }
}

/** The remembered removal first, then the intent: a crash between leaves too much memory, never too little. */
async function remember(
  uploads: Uploads,
  { id, ref, claim, acceptanceAsked }: Undo,
  removeAgainAt: number | null,
): Promise<void> {
  const { claims, intents, refusedAssets } = uploads;
  if (claim) {
    const isOurs = claim.keep
      ? await renew(uploads, claim.held)
      : (await claims.release(claim.held, false)) === 'released';
    // Another try has the id, and the intent with it.
    if (!isOurs) return;
  }
  if (ref !== null && removeAgainAt !== null) await refusedAssets.add(ref, removeAgainAt);
  await (acceptanceAsked === true ? intents.abandon(id, claim?.held.key ?? null) : intents.drop(id));
}
