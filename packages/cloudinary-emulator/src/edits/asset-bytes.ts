import type { Asset } from '../assets/asset.js';
import type { BlobStore } from '../blobs/blob-store.js';

/** The stored bytes of an asset; null when they were discarded. */
export async function assetBytes(asset: Asset, blobs: Pick<BlobStore, 'read'>): Promise<Buffer | null> {
  return asset.blob === null ? null : blobs.read(asset.blob);
}
