import { carriedFields, rewriteHostMetadata, type MediaRecord } from '@holdfast/shared/media';
import { CALLS_AT_ONCE, inParallel } from '../host-calls/in-parallel.js';
import type { StepSession } from '../sync-run/sync-session.js';
import { attempt } from './attempt.js';
import { bindingIn } from './bind-renamed.js';

/** Writes beside the bytes what the records say, each at its present revision, onto what stands there by now. */
export async function rewriteMarks(session: StepSession, records: readonly MediaRecord[]): Promise<void> {
  await inParallel(records, CALLS_AT_ONCE, (record) =>
    attempt(session, record.id, async () => {
      const { host, settings, catalog } = session.deps;
      const asset = await host.find(record, session.signal);
      // Gone or replaced meanwhile: the next run sees it.
      if (asset?.assetId !== record.assetId) return;
      const metadata = rewriteHostMetadata(asset, {
        mark: { state: 'committed' },
        fields: carriedFields(record),
        ...bindingIn(record, settings.host.folder),
      });
      await host.annotate(record, metadata, session.signal);
      await catalog.notePushed(record.id, record.revision);
    }),
  );
}
