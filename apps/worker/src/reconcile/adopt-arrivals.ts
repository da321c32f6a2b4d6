import { writeCommitMark } from '@holdfast/shared/direct-uploads';
import type { MediaRecord } from '@holdfast/shared/media';
import { CALLS_AT_ONCE, inParallel } from '../host-calls/in-parallel.js';
import { addCounts, type StepSession } from '../sync-run/sync-session.js';
import { attempt } from './attempt.js';
import type { Step } from './reconcile-step.js';
import { rewriteMarks } from './rewrite-marks.js';

/**
 * Takes in what clients sent straight to the host. The commit mark comes first: a record never stands for an asset that
 * another may remove. Answers the records that are new; where the client's own word was faster there is nothing to do.
 */
export async function adoptArrivals(session: StepSession, steps: readonly Step[]): Promise<MediaRecord[]> {
  const arrivals = steps.flatMap(({ asset, action }) =>
    action.kind === 'adopt' ? [{ asset, carried: action.carried }] : [],
  );
  const marked: MediaRecord[] = [];
  const { host, settings } = session.deps;
  await inParallel(arrivals, CALLS_AT_ONCE, (arrival) =>
    attempt(session, arrival.carried.fields.id, async () => {
      marked.push(await writeCommitMark(host, arrival, settings.host.folder, session.signal));
    }),
  );
  const entries = marked.map((record) => ({ record, expect: 'absent' as const }));
  const outcomes = await session.deps.catalog.saveMany(entries, session.token);
  const created = marked.filter((_, index) => outcomes[index] === 'created');
  const overtaken = marked.filter((record) => !created.includes(record));
  addCounts(session.running.run, {
    created: created.length - arrivals.length,
    unchanged: overtaken.length,
  });
  await restoreEdits(session, overtaken);
  return created;
}

/** Our mark may have landed on an edit that was made meanwhile. */
async function restoreEdits(session: StepSession, overtaken: readonly MediaRecord[]): Promise<void> {
  const stored = await session.deps.catalog.findStored(overtaken.map(({ id }) => id));
  const edited = stored.flatMap((entry, index) =>
    entry !== null && entry.record.revision > (overtaken[index]?.revision ?? 0) ? [entry.record] : [],
  );
  await rewriteMarks(session, edited);
}
