import { SLOWEST_BYTES_PER_SECOND, type CommitMark } from '../media/index.js';
import type { HostAsset } from '../media-host/index.js';
import { isAllowedKind } from './asset-kinds.js';

/** The rules for uploads that the host cannot be told, or not reliably. */
export interface ArrivalRules {
  maxBytes: number;
  allowedTypes: readonly string[];
}

/** `welcome`: becomes a media. The others must go from the host. */
export type Arrival = 'welcome' | 'late' | 'too large' | 'other kind';

/** For an upload that began in time, besides the time that the slowest takes. */
const GRACE_MS = 60_000;

/** What becomes of an asset that a client sent straight to the host, by what the host tells of it. All times are the host's. */
export function judgeArrival(
  asset: Pick<HostAsset, 'publicId' | 'resourceType' | 'format' | 'bytes' | 'uploadedAt'>,
  { expiresAtMs }: Extract<CommitMark, { state: 'ticket' }>,
  { maxBytes, allowedTypes }: ArrivalRules,
): Arrival {
  const transferMs = (asset.bytes / SLOWEST_BYTES_PER_SECOND) * 1_000;
  if (Date.parse(asset.uploadedAt) > expiresAtMs + GRACE_MS + transferMs) return 'late';
  if (asset.bytes > maxBytes) return 'too large';
  // The ticket was for a raw file, whose public id has an extension; the type is not signed.
  if (asset.resourceType !== 'raw' && /\.[^/]*$/.test(asset.publicId)) return 'other kind';
  return isAllowedKind(asset, allowedTypes) ? 'welcome' : 'other kind';
}
