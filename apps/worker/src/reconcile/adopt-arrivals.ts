import { writeCommitMark } from '@holdfast/shared/direct-uploads';
import type { MediaRecord } from '@holdfast/shared/media';
import { CALLS_AT_ONCE, inParallel } from '../host-calls/in-parallel.js';
import { addCounts, type StepSession } from '../sync-run/sync-session.js';
import { attempt } from './attempt.js';
import type { Step } from './reconcile-step.js';

/**
 * Takes in what clients sent straight to the host. The commit mark comes first: a record never stands for an asset that
 * another may remove. Answers the records that are new; where the client's own word was faster there is nothing to do.
 */
export async function adoptArrivals(session: StepSession, steps: readonly Step[]): Promise<MediaRecord[]> {
  const arrivals = steps.flatMap(({ asset, action }) =>
    action.kind === 'adopt' ? [{ asset, carried: action.carried }] : [],
  );
  const marked: MediaRecord[] = [];
  const { host, catalog, settings } = session.deps;
  const parts = { host, catalog, folder: settings.host.folder };
  await inParallel(arrivals, CALLS_AT_ONCE, (arrival) =>
    attempt(session, arrival.carried.fields.id, async () => {
      marked.push(await writeCommitMark(parts, arrival, session.signal));
    }),
  );
  const entries = marked.map((record) => ({ record, expect: 'absent' as const }));
  const outcomes = await catalog.saveMany(entries, session.token);
  const created = marked.filter((_, index) => outcomes[index] === 'created');
  addCounts(session.running.run, {
    created: created.length - arrivals.length,
    unchanged: marked.length - created.length,
  });
  return created;
}
