import { isHoldfastError } from '@holdfast/shared/errors';
import { isCircuitOpen, type AssetRef, type HostAsset } from '@holdfast/shared/media-host';
import { addCounts, type SyncSession } from '../sync-run/sync-session.js';

/** The host has no answer about this one asset: nothing may be concluded. */
export const NO_ANSWER = 'no answer' as const;

/**
 * The asset as the host has it now. In a full run one that the host fails on does not hold up the others: the next run asks
 * again. A shorter run fails, since what it passes over would wait for the next full one.
 */
export async function lookAt(
  { deps, running, signal, log }: SyncSession,
  ref: AssetRef,
): Promise<HostAsset | null | typeof NO_ANSWER> {
  try {
    return await deps.host.find(ref, signal);
  } catch (error) {
    const isOfThisOne = isHoldfastError(error, 'HOST_REJECTED', 'ASSET_UNREADABLE') && !isCircuitOpen(error);
    if (signal.aborted || running.run.mode !== 'full' || !isOfThisOne) throw error;
    log.warn('sync.asset_failed', { publicId: ref.publicId, code: error.code });
    addCounts(running.run, { errors: 1 });
    return NO_ANSWER;
  }
}
