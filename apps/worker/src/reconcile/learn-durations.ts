import { readDuration } from '@holdfast/shared/catalog';
import { isHoldfastError } from '@holdfast/shared/errors';
import { inParallel, LOOKS_AT_ONCE } from '../host-calls/in-parallel.js';
import type { SyncSession } from '../sync-run/sync-session.js';
import type { PageFacts } from './page-facts.js';
import { reconcileAsset } from './reconcile-asset.js';
import type { ReconcileRules, Step } from './reconcile-step.js';
import { sightingOf } from './sighting.js';

/** So many of a page are asked for: about a second, at a real distance. The others wait for the next full runs. */
const LOOKS_A_PAGE = 50;

/**
 * Listings do not show how long videos are. Those of which neither the mark nor our record tells it are asked for, by calls that are
 * not metered; a host that does not answer keeps no video out of the catalog.
 */
export async function learnDurations(
  { deps, signal }: SyncSession,
  steps: readonly Step[],
  { records, marks }: PageFacts,
  rules: ReconcileRules,
): Promise<Step[]> {
  const lacking = steps.filter(lacksDuration);
  if (lacking.length === 0) return [...steps];
  // From anywhere: those whose length the host never tells must not keep the others from their turn.
  const start = Math.floor(Math.random() * lacking.length);
  const open = [...lacking.slice(start), ...lacking.slice(0, start)].slice(0, LOOKS_A_PAGE);
  const told = await inParallel(open, LOOKS_AT_ONCE, async ({ asset }) => {
    const found = await deps.host.find(asset, signal).catch((error: unknown) => {
      if (signal.aborted || !isHoldfastError(error)) throw error;
      return null;
    });
    const isSame = found?.assetId === asset.assetId && found.version === asset.version;
    return isSame ? (found.durationSeconds ?? null) : null;
  });
  const durations = new Map(open.map((step, index) => [step, told[index] ?? null]));
  return steps.map((step) => {
    const durationSeconds = durations.get(step) ?? null;
    if (durationSeconds === null) return step;
    return reconcileAsset(
      sightingOf({ ...step.asset, durationSeconds }, rules.folder),
      records,
      marks,
      rules,
    );
  });
}

function lacksDuration({ asset, action, stored, look }: Step): boolean {
  if (asset.resourceType !== 'video' || asset.durationSeconds !== undefined || look) return false;
  if (action.kind === 'create' || action.kind === 'save') return action.record.durationSeconds === null;
  return action.kind === 'unchanged' && stored !== null && readDuration(stored.content) === null;
}
