import type { ShownAssets } from '@holdfast/shared/media-host';
import { addCounts, type SyncSession } from '../sync-run/sync-session.js';
import { applySteps } from './apply-steps.js';
import { driftOfStep } from './drift-of-step.js';
import { insistOnReadable } from './insist-on-readable.js';
import { learnDurations } from './learn-durations.js';
import { lookAgain } from './look-again.js';
import { mendEntries } from './mend-indexes.js';
import { readPageFacts } from './page-facts.js';
import { reconcileAsset } from './reconcile-asset.js';
import { reconcileRules } from './reconcile-rules.js';
import type { Step } from './reconcile-step.js';
import { restoreClaims } from './restore-claims.js';
import { sightingOf } from './sighting.js';

/**
 * Brings one page into the catalog. Answers the numbers of the records it met. A page with nothing changed costs one
 * round trip and writes nothing. Throws HOST_REJECTED for a page of which more than half cannot be read.
 */
export async function reconcilePage(session: SyncSession, page: ShownAssets): Promise<number[]> {
  const { deps, running } = session;
  const { assets } = page;
  insistOnReadable(session, page);
  addCounts(running.run, { listed: assets.length });
  if (assets.length === 0) return [];
  const rules = reconcileRules(deps);
  const sightings = assets.map((asset) => sightingOf(asset, rules.folder));
  const { records, marks } = await readPageFacts(sightings, deps);
  const first = sightings.map((sighting) => reconcileAsset(sighting, records, marks, rules));
  const timed = await learnDurations(session, first, { records, marks }, rules);
  const steps = await lookAgain(session, timed, rules);
  await restoreClaims(session, assets, steps);
  const drift = steps.flatMap((step) => driftOfStep(step) ?? []);
  await session.drift.note(drift);
  session.undone.clear();
  await applySteps(session, steps);
  await session.drift.correct(
    drift.flatMap((item) => {
      const outcome = session.undone.get(item.id) ?? session.undone.get(item.publicId);
      return outcome === undefined ? [] : [{ ...item, action: outcome }];
    }),
  );
  await mendEntries(session, steps);
  return steps.flatMap((step) => (isOfAnotherAsset(step) ? [] : (step.stored?.sequence ?? [])));
}

/** It has the id of a record whose own asset is another one: whether that one is there, it does not show. */
function isOfAnotherAsset({ action }: Step): boolean {
  return action.kind === 'left' && action.why === 'twice';
}
