import type { Asset } from '../assets/asset.js';
import { SyntheticAsset } from '../assets/synthetic-asset.js';
import type { BlobStore } from '../blobs/blob-store.js';

/** The stored bytes of an asset; null when they were discarded. */
export async function assetBytes(asset: Asset, blobs: Pick<BlobStore, 'read'>): Promise<Buffer | null> {
  if (asset.blob !== null) return blobs.read(asset.blob);
  return asset instanceof SyntheticAsset ? asset.block.content(asset.n) : null;
}
