import { rewriteHostMetadata, type Carried, type HostMetadata } from '../media/index.js';
import type { HostAsset } from '../media-host/index.js';

/** What an asset carries once it was looked at and counts: the ticket's own words, and the checksum that the host tells. */
export function committedMetadata(
  asset: Pick<HostAsset, 'etag' | 'context'>,
  { fields }: Carried,
): HostMetadata {
  return rewriteHostMetadata(asset, {
    mark: { state: 'committed' },
    fields: { ...fields, md5: fields.md5 ?? asset.etag },
  });
}
