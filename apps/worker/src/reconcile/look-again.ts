import { inParallel, LOOKS_AT_ONCE } from '../host-calls/in-parallel.js';
import type { SyncSession } from '../sync-run/sync-session.js';
import { lookAt, NO_ANSWER } from './look-at.js';
import { readPageFacts } from './page-facts.js';
import { reconcileAsset } from './reconcile-asset.js';
import type { ReconcileRules, Step } from './reconcile-step.js';
import { sightingOf } from './sighting.js';

/**
 * Listings and above all the search index lag. What would overwrite, restore, rewrite or remove is decided anew from the
 * asset itself and from the records as they are now; what is gone in the meantime is left to the sweep.
 */
export async function lookAgain(
  session: SyncSession,
  steps: readonly Step[],
  rules: ReconcileRules,
): Promise<Step[]> {
  const doubtful = steps.filter((step) => step.look);
  if (doubtful.length === 0) return [...steps];
  const looked = await inParallel(doubtful, LOOKS_AT_ONCE, ({ asset }) => lookAt(session, asset));
  const present = looked.flatMap((asset) =>
    asset === null || asset === NO_ANSWER ? [] : sightingOf(asset, rules.folder),
  );
  const { records, marks } = await readPageFacts(present, session.deps);
  const settled = present.map((sighting) => reconcileAsset(sighting, records, marks, rules));
  return [...steps.filter((step) => !step.look), ...settled];
}
