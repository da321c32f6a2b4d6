import { createHash } from 'node:crypto';
import { decodeTime } from 'ulid';
import { isOwnId } from '../../media/index.js';
import type { AssetRef } from '../media-host.js';

/**
 * 32 hex digits, computed from how the asset is addressed: 12 of its time (the ULID that its last segment begins
 * with; all `f` without one), 20 of a hash. The files are named by it, so the order of names is the order of
 * creation, and neither public id nor asset id needs an index.
 */
export function assetIdOf({ resourceType, publicId }: AssetRef): string {
  const ulid = publicId.slice(publicId.lastIndexOf('/') + 1).slice(0, 26);
  const time = isOwnId(ulid) ? decodeTime(ulid).toString(16).padStart(12, '0') : NO_TIME;
  const hash = createHash('sha256').update(`${resourceType}/${publicId}`).digest('hex');
  return time + hash.slice(0, 20);
}

const NO_TIME = 'f'.repeat(12);

export function isAssetId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

/** The two folders of an asset: 3.1 days each, divided into 65 s each; without a time, spread by hash. */
export function foldersOf(assetId: string): [string, string] {
  return assetId.startsWith(NO_TIME)
    ? [NO_TIME.slice(0, 5), assetId.slice(12, 15)]
    : [assetId.slice(0, 5), assetId.slice(5, 8)];
}
