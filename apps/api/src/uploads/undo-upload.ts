import type { Upload } from './admission.js';
import type { Uploads } from './uploads.js';

const REMOVE_WITHIN_MS = 3_000;
/** An answer that was lost may belong to an upload that the host is still finishing: look again later. */
const LOOK_AGAIN_MS = 60_000;
/** Redis may be emptied before it is removed: then a sync takes it for a file that counts. */
const RETRY_REMOVAL_MS = 1_000;

/** An upload that must leave nothing behind. One with a claim can tell whether that was certainly ours a moment ago. */
type Undone = Pick<Upload, 'id' | 'ref'> & Partial<Pick<Upload, 'acceptanceAsked' | 'claim' | 'isFresh'>>;

/**
 * Removes what a refused upload left, and frees its claim: another try gets another id. `unsettled`: the host may still store the asset
 * after it was removed. Never throws; what fails is remembered and retried.
 */
export async function undoUpload(uploads: Uploads, upload: Undone, unsettled = false): Promise<void> {
  const { claims, log, deferred } = uploads;
  const { id, claim } = upload;
  if (claim) {
    // Another try may work under the id by now. What the host has under it must be ours to remove, for the next seconds.
    const renewed = claims.renew([claim]).catch(() => [upload.isFresh?.()]);
    if ((await renewed)[0] !== true) return;
  }
  const removeInMs = await removeAsset(uploads, upload, unsettled);
  const finish = (): Promise<void> => remember(uploads, upload, removeInMs);
  try {
    await finish();
  } catch (error) {
    log.warn('upload.undo_waits_for_redis', { id, error });
    deferred.add(id, finish);
  }
}

/** Answers in how many milliseconds the removal must be tried again; null when the host has nothing any more. */
async function removeAsset(
  { host, log }: Uploads,
  { id, ref }: Undone,
  unsettled: boolean,
): Promise<number | null> {
  if (ref === null) return null;
  try {
    await host.remove(ref, AbortSignal.timeout(REMOVE_WITHIN_MS));
    return unsettled ? LOOK_AGAIN_MS : null;
  } catch (error) {
    log.warn('upload.removal_failed', { id, error });
    return RETRY_REMOVAL_MS;
  }
}

async function remember(
  { claims, intents }: Uploads,
  { id, ref, claim, acceptanceAsked }: Undone,
  removeInMs: number | null,
): Promise<void> {
  // Another try has the id, and the intent with it.
  if (claim && (await claims.release(claim, false)) === 'taken') return;
  const removal = ref && removeInMs !== null ? { publicId: ref.publicId, inMs: removeInMs } : null;
  const acceptance = acceptanceAsked === true ? { claimKey: claim?.key ?? null } : null;
  if (removal === null && acceptance === null) await intents.drop(id);
  else await intents.refuse(id, { removal, acceptance });
}
