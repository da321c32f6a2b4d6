import type { Catalog } from '../catalog/index.js';
import {
  carriedFields,
  editBase,
  recordFromAsset,
  rewriteHostMetadata,
  type Carried,
  type MediaRecord,
} from '../media/index.js';
import type { HostAsset, MediaHost } from '../media-host/index.js';

/** What `writeCommitMark` works with. */
export interface MarkDependencies {
  host: Pick<MediaHost, 'annotate'>;
  catalog: Pick<Catalog, 'find'>;
  folder: string;
}

/**
 * Makes an asset count that came with a ticket, was looked at and is welcome: its mark says so, with the ticket's own words
 * and the checksum that the host tells. Answers the record that this makes. Where another was faster, the media may have been
 * edited since, and the mark may have landed on that edit: then what the catalog has now is written. Rejects as the host and
 * the catalog do.
 */
export async function writeCommitMark(
  { host, catalog, folder }: MarkDependencies,
  { asset, carried }: { asset: HostAsset; carried: Pick<Carried, 'fields'> },
  signal?: AbortSignal,
): Promise<MediaRecord> {
  const { publicId, resourceType } = asset;
  const write = (fields: Carried['fields']): Promise<HostAsset> =>
    host.annotate(
      { publicId, resourceType },
      rewriteHostMetadata(asset, { mark: { state: 'committed' }, fields }),
      signal,
    );
  const { fields } = carried;
  const told = {
    md5: fields.md5 ?? asset.etag,
    ...(typeof asset.durationSeconds === 'number' ? { durationSeconds: asset.durationSeconds } : {}),
  };
  const record = recordFromAsset(await write({ ...fields, ...told }), folder, 'direct');
  for (let written = record; ;) {
    const latest = await catalog.find(record.id);
    if (latest === null || latest.status === 'deleting' || !isEdited(latest, written)) return record;
    await write(carriedFields(latest));
    written = latest;
  }
}

/** In the same revision as well: what was edited on the host before another took it in came with that. */
function isEdited(latest: MediaRecord, { revision, ...fields }: MediaRecord): boolean {
  return (
    latest.revision > revision || (latest.revision === revision && editBase(latest) !== editBase(fields))
  );
}
