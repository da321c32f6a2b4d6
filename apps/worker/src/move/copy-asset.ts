import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { HostSettings } from '@holdfast/foundation/config';
import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import { carriedFields, readHostMetadata, writeHostMetadata, type MediaRecord } from '@holdfast/shared/media';
import { openAssetBytes, type HostAsset, type MediaHost } from '@holdfast/shared/media-host';
import { isContentChanged } from '../reconcile/asset-record.js';

/** By then an interrupted move has been repeated, or a sync may remove the copies whose record the catalog does not have. */
const COMMIT_WITHIN_SECONDS = 3_600;

export interface CopyParts {
  source: { settings: HostSettings };
  target: Pick<MediaHost, 'find' | 'put' | 'remove'>;
  signal: AbortSignal;
}

/**
 * The asset on the target, under the same name and with the same bytes: one that is there already, or a new copy, which has no
 * commit mark yet. Size and hashes were compared on the way and with what the target says. Throws HOST_CONTENT_MISMATCH where
 * they differ, HOST_REJECTED where another media has the name.
 */
export async function copyAsset(
  asset: HostAsset,
  record: MediaRecord,
  { source, target, signal }: CopyParts,
): Promise<HostAsset> {
  const { publicId, resourceType, bytes } = asset;
  const ref = { publicId, resourceType };
  if (isContentChanged(asset, record)) throw mismatch('the earlier host has other bytes than were uploaded');
  const there = await target.find(ref, signal);
  if (there !== null) return usable(there, asset, record);
  const broken = source.settings.kind === 'local' ? 'ASSET_UNREADABLE' : 'HOST_TIMEOUT';
  const { body, digests } = digested(await openAssetBytes(source.settings, asset, signal), broken);
  const { asset: copy, existed } = await target.put({
    ref,
    metadata: writeHostMetadata({
      mark: { state: 'started', deadlineSeconds: COMMIT_WITHIN_SECONDS },
      fields: carriedFields(record),
    }),
    body,
    contentLength: bytes,
    signal,
  });
  if (existed) return usable(copy, asset, record);
  try {
    refuseOtherBytes(copy, digests(), asset, record);
  } catch (error) {
    await target.remove(ref, signal);
    throw error;
  }
  return copy;
}

/** From an earlier try, or put there by a push that met it. */
function usable(there: HostAsset, asset: HostAsset, { id }: MediaRecord): HostAsset {
  if (readHostMetadata(there)?.fields.id !== id)
    throw new HoldfastError('HOST_REJECTED', 'another file has this name on the configured host');
  const isSame = there.bytes === asset.bytes && (there.etag ?? asset.etag) === (asset.etag ?? there.etag);
  if (!isSame) throw mismatch('the configured host has other bytes under this name');
  return there;
}

interface Digests {
  bytes: number;
  md5: string;
  sha256: string;
}

function refuseOtherBytes(copy: HostAsset, read: Digests, asset: HostAsset, record: MediaRecord): void {
  const { sha256 } = record.checksum;
  if (read.bytes !== asset.bytes || (asset.etag ?? read.md5) !== read.md5)
    throw mismatch('the earlier host gave other bytes than it lists');
  if (sha256 !== null && sha256 !== read.sha256)
    throw mismatch('the earlier host gave other bytes than were uploaded');
  if (copy.bytes !== read.bytes || (copy.etag ?? read.md5) !== read.md5)
    throw mismatch('the configured host stored other bytes than it was sent');
}

function mismatch(message: string): HoldfastError {
  return new HoldfastError('HOST_CONTENT_MISMATCH', message);
}

/** The same bytes, counted and hashed as they pass. The stream fails with `broken` where the source does. */
function digested(source: Readable, broken: ErrorCode): { body: Readable; digests: () => Digests } {
  const hashes = { md5: createHash('md5'), sha256: createHash('sha256') };
  let bytes = 0;
  async function* pass(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        hashes.md5.update(chunk);
        hashes.sha256.update(chunk);
        yield chunk;
      }
    } catch (cause) {
      throw new HoldfastError(broken, 'the earlier host broke off a file', { cause });
    }
  }
  const body = Readable.from(pass(), { objectMode: false });
  // A body that is never read would leave the file, or the connection, open.
  body.on('close', () => source.destroy());
  return {
    body,
    digests: () => ({ bytes, md5: hashes.md5.digest('hex'), sha256: hashes.sha256.digest('hex') }),
  };
}
