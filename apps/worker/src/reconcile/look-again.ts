import { isHoldfastError } from '@holdfast/foundation/errors';
import { isCircuitOpen, type AssetRef, type HostAsset } from '@holdfast/shared/media-host';
import type { SyncSession } from '../sync-run/sync-session.js';
import type { Step } from './decide.js';

// A listing alone is not enough to go by: what would overwrite, restore, rewrite or remove is decided by the asset itself, and
// listings do not show how long a video is.

/** Those steps that are to be decided again, by what `lookAt` or `learnDuration` answers. */
export function drawDoubtful(steps: readonly Step[]): ReadonlySet<Step> {
  return new Set([...steps.filter(({ look }) => look), ...drawSilent(steps)]);
}

/** The host has no answer about this one asset: nothing may be concluded. */
export const NO_ANSWER = 'no answer' as const;

/**
 * The asset as the host has it now: listings and above all the search index lag. In a full run one that the host fails on does not
 * hold up the others: the next run asks again. A shorter run fails, since what it passes over would wait for the next full one.
 */
export async function lookAt(
  { host, running, signal, log }: SyncSession,
  ref: AssetRef,
): Promise<HostAsset | null | typeof NO_ANSWER> {
  try {
    return await host.find(ref, signal);
  } catch (error) {
    const isOfThisOne = isHoldfastError(error, 'HOST_REJECTED', 'ASSET_UNREADABLE') && !isCircuitOpen(error);
    if (signal.aborted || running.run.mode !== 'full' || !isOfThisOne) throw error;
    log.warn('sync.asset_failed', { publicId: ref.publicId, code: error.code });
    return NO_ANSWER;
  }
}

/** So many of a page are asked for: about a second, at a real distance. The others wait for the next full runs. */
const DURATIONS_A_PAGE = 50;

/** Some of the videos whose length neither their listing nor the mark nor our record shows. */
function drawSilent(steps: readonly Step[]): Step[] {
  const silent = steps.filter(lacksDuration);
  // From a random one: those whose length the host never gives must not keep the others from their turn.
  const start = Math.floor(Math.random() * silent.length);
  return [...silent.slice(start), ...silent.slice(0, start)].slice(0, DURATIONS_A_PAGE);
}

function lacksDuration({ asset, action, stored, look }: Step): boolean {
  if (asset.resourceType !== 'video' || asset.durationSeconds !== undefined || look) return false;
  if (action.kind === 'create' || action.kind === 'save') return action.record.durationSeconds === null;
  return action.kind === 'unchanged' && stored?.record.durationSeconds === null;
}

/** The asset with its length, by a call that is not metered. A host that does not answer keeps no video out of the catalog. */
export async function learnDuration({ host, signal }: SyncSession, asset: HostAsset): Promise<HostAsset> {
  const found = await host.find(asset, signal).catch((error: unknown) => {
    if (signal.aborted || !isHoldfastError(error)) throw error;
    return null;
  });
  const isSame = found?.assetId === asset.assetId && found.version === asset.version;
  return isSame ? { ...asset, durationSeconds: found.durationSeconds } : asset;
}
