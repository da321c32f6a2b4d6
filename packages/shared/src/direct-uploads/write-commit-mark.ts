import { recordFromAsset, rewriteHostMetadata, type Carried, type MediaRecord } from '../media/index.js';
import type { HostAsset, MediaHost } from '../media-host/index.js';

/**
 * Makes an asset count that came with a ticket, was looked at and is welcome: its mark says so, with the ticket's own words
 * and the checksum that the host tells. Answers its record. Rejects as the host does.
 */
export async function writeCommitMark(
  host: Pick<MediaHost, 'annotate'>,
  { asset, carried: { fields } }: { asset: HostAsset; carried: Pick<Carried, 'fields'> },
  folder: string,
  signal?: AbortSignal,
): Promise<MediaRecord> {
  const { publicId, resourceType } = asset;
  const metadata = rewriteHostMetadata(asset, {
    mark: { state: 'committed' },
    fields: { ...fields, md5: fields.md5 ?? asset.etag },
  });
  return recordFromAsset(await host.annotate({ publicId, resourceType }, metadata, signal), folder, 'direct');
}
