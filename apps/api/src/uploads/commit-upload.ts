import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import {
  isSameTags,
  recordFromAsset,
  readHostMetadata,
  writeHostMetadata,
  type Carried,
  type CarriedFields,
  type MediaRecord,
  type UploadClaim,
} from '@holdfast/shared/media';
import type { AssetRef, HostAsset, MediaHost, PutResult } from '@holdfast/shared/media-host';
import type { ReceivedFile } from './upload-form.js';

export interface Commit {
  ref: AssetRef;
  file: ReceivedFile;
  fields: CarriedFields;
  /** Of an upload with an Idempotency-Key. */
  claim: UploadClaim | null;
  folder: string;
  signal: AbortSignal;
}

/**
 * Puts the commit mark and everything the record needs onto the asset: a small body is sent with it in one request, a
 * large one that is there already is annotated. Only an asset with the mark counts. Resolves with the record as the host
 * now carries it; after a rejection the asset may or may not exist.
 */
export async function commitUpload(host: MediaHost, commit: Commit): Promise<MediaRecord> {
  const { ref, file, fields, claim, signal } = commit;
  const { body, kind, bytes } = file;
  const carried: Carried = { mark: { state: 'committed' }, fields, claim: claim ?? undefined };
  const write = async (): Promise<HostAsset> => {
    const isThere = 'stored' in body;
    const put = isThere
      ? body.stored
      : await host.put({
          ref,
          metadata: writeHostMetadata(carried),
          body: body.small,
          format: kind.extension,
          contentLength: bytes,
          signal,
        });
    const { asset, existed } = put;
    // A small body has come with its mark, unless an earlier try of the same request was still on its way to the host.
    if (!isThere && !existed) return asset;
    refuseOtherBytes(put, file);
    // Listings do not show how long a video is, so its mark carries the duration where it is known by then.
    const known = { ...fields, durationSeconds: asset.durationSeconds ?? fields.durationSeconds };
    return host.annotate(ref, writeHostMetadata({ ...carried, fields: known }, asset), signal);
  };
  const asset = await write().catch((error: unknown) => lookAgain(host, commit, error));
  refuseOtherBytes({ asset, existed: false }, file);
  const marked = markedRecord(asset, commit) ?? markedRecord(await host.find(ref, signal), commit);
  if (marked === null)
    throw new HoldfastError(
      'HOST_ALTERS_UPLOADS',
      'the account did not keep the context of the upload: remove context from its default upload preset',
    );
  // The host may show the tags in an order of its own.
  return isSameTags(marked.tags, fields.tags) ? { ...marked, tags: fields.tags } : marked;
}

/** The answer was lost: what the host has decides. */
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

/** Null where the mark, and all that the record is rebuilt from, is not there; not every answer of a host shows it. */
function markedRecord(asset: HostAsset | null, { fields, folder }: Commit): MediaRecord | null {
  const carried = asset && readHostMetadata(asset);
  return asset && carried?.fields.id === fields.id ? recordFromAsset(asset, folder, 'upload', carried) : null;
}

/** A transfer that went wrong keeps the size or the hash; a transformation keeps neither. */
function refuseOtherBytes({ asset, existed }: PutResult, file: ReceivedFile): void {
  if (isSameBytes(asset, file)) return;
  if (existed || asset.etag === null || asset.etag === file.md5 || asset.bytes === file.bytes)
    throw new HoldfastError('HOST_CONTENT_MISMATCH');
  throw new HoldfastError(
    'HOST_ALTERS_UPLOADS',
    `the account stored ${String(asset.bytes)} bytes instead of ${String(file.bytes)}: remove the incoming transformation or format from its default upload preset`,
  );
}
