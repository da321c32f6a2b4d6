import { carriedFields, writeHostMetadata, type MediaRecord } from '@holdfast/shared/media';
import { CALLS_AT_ONCE, inParallel } from '../host-calls/in-parallel.js';
import type { StepSession } from '../sync-run/sync-session.js';
import { attempt } from './attempt.js';
import { bindingIn } from './bind-renamed.js';

/** Writes beside the bytes what the records say, each at its present revision. */
export async function rewriteMarks(session: StepSession, records: readonly MediaRecord[]): Promise<void> {
  await inParallel(records, CALLS_AT_ONCE, (record) =>
    attempt(session, record.id, async () => {
      const fields = carriedFields(record);
      await session.deps.host.annotate(
        record,
        writeHostMetadata({
          mark: { state: 'committed' },
          fields,
          ...bindingIn(record, session.deps.settings.host.folder),
        }),
        session.signal,
      );
      await session.deps.catalog.notePushed(record.id, record.revision);
    }),
  );
}
