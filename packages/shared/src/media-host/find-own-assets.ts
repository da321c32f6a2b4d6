import { idFromPublicId, readHostMetadata, resourceTypes, type Carried } from '../media/index.js';
import type { HostAsset, MediaHost } from './media-host.js';

/** An asset that Holdfast put on the host, with what it wrote there. */
export interface OwnAsset {
  asset: HostAsset;
  carried: Carried;
}

/**
 * The assets of one media item under our own folder, whatever type the host took them for. Assets without our mark, or with
 * another id, belong to others: they are not in the answer, and so never removed.
 */
export async function findOwnAssets(
  host: Pick<MediaHost, 'find'>,
  folder: string,
  { id, publicId }: { id: string; publicId: string },
  signal: AbortSignal,
): Promise<OwnAsset[]> {
  // Of a raw file: the only ones that have an extension.
  if (idFromPublicId(folder, { publicId, resourceType: 'raw' }) !== id) return [];
  const found = await Promise.all(
    resourceTypes.map((resourceType) => host.find({ publicId, resourceType }, signal)),
  );
  return found.flatMap((asset) => {
    const carried = asset === null ? null : readHostMetadata(asset);
    return asset !== null && carried?.fields.id === id ? [{ asset, carried }] : [];
  });
}
