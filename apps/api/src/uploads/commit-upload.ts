import { HoldfastError, isHoldfastError } from '@holdfast/shared/errors';
import {
  isSameTags,
  recordFromAsset,
  readHostMetadata,
  rewriteHostMetadata,
  writeHostMetadata,
  type Carried,
  type CarriedFields,
  type MediaRecord,
  type UploadClaim,
} from '@holdfast/shared/media';
import type { AssetRef, HostAsset, MediaHost } from '@holdfast/shared/media-host';
import type { ReceivedFile } from './receive-file.js';

export interface Commit {
  ref: AssetRef;
  file: ReceivedFile;
  fields: CarriedFields;
  /** Of an upload with an Idempotency-Key. */
  claim: UploadClaim | null;
  folder: string;
  signal: AbortSignal;
  /** Called before a small body is sent: from then on the host may have the asset. */
  onSending: () => void;
}

/**
 * Puts the commit mark and everything the record needs onto the asset: a small body is sent with it in one request, a
 * large one that is there already is annotated. Only an asset with the mark counts. Resolves with the record as the host
 * now carries it; after a rejection the asset may or may not exist.
 */
export async function commitUpload(host: MediaHost, commit: Commit): Promise<MediaRecord> {
  const carried: Carried = {
    mark: { state: 'committed' },
    fields: commit.fields,
    ...(commit.claim === null ? {} : { claim: commit.claim }),
  };
  const mark = (asset: HostAsset): Promise<HostAsset> =>
    host.annotate(
      commit.ref,
      rewriteHostMetadata(asset, { ...carried, ...timed(commit.fields, asset) }),
      commit.signal,
    );
  const { body } = commit.file;
  if ('stored' in body) refuseOtherBytes(body.stored.asset, commit.file);
  const write = async (): Promise<HostAsset> => {
    if ('stored' in body) return mark(body.stored.asset);
    commit.onSending();
    const { asset, existed } = await host.put({
      ref: commit.ref,
      metadata: writeHostMetadata(carried),
      body: body.small,
      contentLength: commit.file.bytes,
      signal: commit.signal,
    });
    if (!existed) return asset;
    // An earlier try of the same request was still on its way to the host.
    refuseOtherBytes(asset, commit.file);
    return mark(asset);
  };
  const asset = await write().catch((error: unknown) => lookAgain(host, commit, error));
  refuseOtherBytes(asset, commit.file);
  const record = recordFromAsset(asset, commit.folder, 'upload');
  const { tags } = commit.fields;
  // The host may show them in an order of its own.
  return isSameTags(record.tags, tags) ? { ...record, tags } : record;
}

/** Listings do not show how long a video is, so its mark says it, where the host has told it before the mark is written. */
function timed(fields: CarriedFields, { durationSeconds }: HostAsset): Pick<Carried, 'fields'> {
  return { fields: typeof durationSeconds === 'number' ? { ...fields, durationSeconds } : fields };
}

/** The answer was lost: what the host has decides, not what we heard. */
async function lookAgain(host: MediaHost, commit: Commit, error: unknown): Promise<HostAsset> {
  const unknown = isHoldfastError(error, 'HOST_REJECTED', 'HOST_TIMEOUT') && !commit.signal.aborted;
  if (!unknown) throw error;
  const asset = await host.find(commit.ref, AbortSignal.timeout(3_000)).catch(() => null);
  const committed =
    asset !== null && readHostMetadata(asset)?.mark.state === 'committed' && isSameBytes(asset, commit.file);
  if (!committed) throw error;
  return asset;
}

function isSameBytes(asset: HostAsset, file: ReceivedFile): boolean {
  return asset.bytes === file.bytes && (asset.etag === null || asset.etag === file.md5);
}

function refuseOtherBytes(asset: HostAsset, file: ReceivedFile): void {
  if (!isSameBytes(asset, file)) throw new HoldfastError('HOST_CONTENT_MISMATCH');
}
