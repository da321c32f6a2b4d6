import {
  carriedFields,
  readHostMetadata,
  rewriteHostMetadata,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import { CALLS_AT_ONCE, inParallel } from '../host-calls/in-parallel.js';
import type { StepSession } from '../sync-run/sync-session.js';
import { atItsPlace } from './asset-record.js';
import { attempt } from './attempt.js';
import { bindingIn } from './bind-renamed.js';

/** Writes beside the bytes what the records say, each at its present revision, onto what stands there by now. */
export async function rewriteMarks(session: StepSession, records: readonly MediaRecord[]): Promise<void> {
  await inParallel(records, CALLS_AT_ONCE, (record) =>
    attempt(session, record.id, () => rewriteOne(session, record)),
  );
}

/** An edit may be pushed between our look and our write, which would undo it on the host: then what we have now is written. */
async function rewriteOne({ deps, signal }: StepSession, given: MediaRecord): Promise<void> {
  const { host, settings, catalog } = deps;
  let record = given;
  for (;;) {
    const asset = await host.find(record, signal);
    // Gone or replaced meanwhile: the next run sees it.
    if (asset?.assetId !== record.assetId || isNewerThere(asset, record)) return;
    const metadata = rewriteHostMetadata(asset, {
      mark: { state: 'committed' },
      fields: carriedFields(record),
      ...bindingIn(record, settings.host.folder),
    });
    await host.annotate(record, metadata, signal);
    await catalog.notePushed(record.id, record.revision);
    const latest = await catalog.find(record.id);
    if (latest === null || latest.revision <= record.revision) return;
    // It may be under a name that its record does not have yet.
    record = latest.assetId === asset.assetId ? atItsPlace(asset, latest) : latest;
  }
}

/** A push has written the mark meanwhile. */
function isNewerThere(asset: HostAsset, { id, revision }: MediaRecord): boolean {
  const carried = readHostMetadata(asset);
  return carried?.fields.id === id && carried.fields.revision > revision;
}
