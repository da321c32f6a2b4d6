import { inParallel, LOOKS_AT_ONCE } from '../host-calls/in-parallel.js';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';
import { readPageFacts } from './page-facts.js';
import { reconcileAsset } from './reconcile-asset.js';
import type { ReconcileRules, Step } from './reconcile-step.js';
import { sightingOf } from './sighting.js';

/**
 * Listings and above all the search index lag. What would overwrite, restore, rewrite or remove is decided anew from the
 * asset itself and from the records as they are now; what is gone in the meantime is left to the sweep.
 */
export async function lookAgain(
  steps: readonly Step[],
  deps: SyncDependencies,
  rules: ReconcileRules,
  signal: AbortSignal,
): Promise<Step[]> {
  const doubtful = steps.filter((step) => step.look);
  if (doubtful.length === 0) return [...steps];
  const looked = await inParallel(doubtful, LOOKS_AT_ONCE, ({ asset }) => deps.host.find(asset, signal));
  const present = looked.flatMap((asset) => (asset === null ? [] : sightingOf(asset, rules.folder)));
  const { records, marks } = await readPageFacts(present, deps);
  const settled = present.map((sighting) => reconcileAsset(sighting, records, marks, rules));
  return [...steps.filter((step) => !step.look), ...settled];
}
