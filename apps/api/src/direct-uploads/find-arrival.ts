import type { Ticket } from '@holdfast/shared/direct-uploads';
import {
  publicIdFor,
  readHostMetadata,
  resourceTypes,
  type Carried,
  type CommitMark,
} from '@holdfast/shared/media';
import type { AssetRef, HostAsset, MediaHost } from '@holdfast/shared/media-host';

/** An asset that a client sent straight to the host. */
export interface Arrived {
  asset: HostAsset;
  carried: Omit<Carried, 'mark'> & { mark: Exclude<CommitMark, { state: 'started' }> };
}

/**
 * What the host has under the ticket's public id, whatever type it took it for; null when nothing is there. Without a
 * ticket (Redis may have lost it) the usual name is tried: the asset itself proves that we allowed it.
 */
export async function findArrival(
  { host, folder }: { host: Pick<MediaHost, 'find'>; folder: string },
  id: string,
  ticket: Ticket | null,
): Promise<Arrived | null> {
  const publicId = ticket?.publicId ?? publicIdFor(folder, id);
  const usual = resourceTypes.map((resourceType): AssetRef => ({ publicId, resourceType }));
  for (const refs of [usual, withExtension(publicId, ticket?.extension ?? '')]) {
    const found = await Promise.all(refs.map((ref) => host.find(ref)));
    for (const asset of found) {
      const arrived = asset === null ? null : readArrival(asset, id);
      if (arrived !== null) return arrived;
    }
  }
  return null;
}

/** A host that was asked to tell the type by itself adds the extension of what it takes for raw, in whichever case. */
function withExtension(publicId: string, extension: string): AssetRef[] {
  if (extension === '') return [];
  return [...new Set([extension, extension.toLowerCase()])].map((ending) => {
    return { publicId: `${publicId}.${ending}`, resourceType: 'raw' };
  });
}

function readArrival(asset: HostAsset, id: string): Arrived | null {
  const carried = readHostMetadata(asset);
  if (carried?.fields.id !== id || carried.fields.source !== 'direct') return null;
  const { mark, fields } = carried;
  return mark.state === 'started' ? null : { asset, carried: { mark, fields } };
}
