import type { Asset } from '../assets/asset.js';

/** Which assets a shortened listing still shows: always the same ones, picked by their asset id. */
export function shownAt(share: number): (asset: Asset) => boolean {
  if (share >= 1) return () => true;
  return (asset) => Number.parseInt(asset.assetId.slice(-6), 16) / 0x1000000 < share;
}
