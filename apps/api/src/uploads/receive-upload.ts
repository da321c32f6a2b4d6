import type { Readable } from 'node:stream';
import type { Request, Response } from 'express';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { untilAborted, withinMs } from '@holdfast/foundation/lifecycle';
import { failpoint } from '@holdfast/shared/failpoint';
import type { HeldClaim } from '@holdfast/shared/idempotency';
import { isAccepted, type FulfilledClaim } from '@holdfast/shared/intents';
import {
  firstFields,
  newMediaId,
  publicIdFor,
  SLOWEST_BYTES_PER_SECOND,
  timeOfId,
  writeHostMetadata,
  type CarriedFields,
  type EditableFields,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { AssetRef, PutResult } from '@holdfast/shared/media-host';
import { inviteBody } from '../http/request-bodies.js';
import { parseMediaFields } from '../media/media-fields.js';
import { cleanFilename, refFor } from '../media/new-media.js';
import { admit, promptly, type Upload } from './admission.js';
import { commitUpload } from './commit-upload.js';
import type { FileKind } from './file-kind.js';
import { undoUpload } from './undo-upload.js';
import {
  parseForm,
  readReprDigest,
  receiveFile,
  requestFingerprint,
  type FileDigest,
} from './upload-form.js';
import type { Uploads } from './uploads.js';

/** One upload as a client asks for it. */
export interface UploadRequest {
  uploadedBy: string;
  /** `return`: bytes that this client has uploaded before are answered with what is there. */
  duplicates: 'keep' | 'return';
  /** Of an upload with an Idempotency-Key. */
  claim: HeldClaim | null;
  /** What earlier tries of the claim left on the host without a commit mark; removed before anything is sent. */
  unfinished: readonly { asset: AssetRef }[];
}

export interface Received {
  record: MediaRecord;
  /** The record was there before; nothing was kept of this upload. */
  duplicate?: boolean;
  /** An earlier request with the same Idempotency-Key has the answer. */
  replayed?: boolean;
}

/**
 * One upload from the first byte to the point where it may be acknowledged: admitted -> intent -> bytes received, large ones
 * put on the host -> checks -> commit mark on the host -> accepted into the catalog with its jobs. Resolves with the record,
 * saving or deferred, or with the duplicate. After any rejection the asset is gone from the host, or its removal is remembered.
 */
export async function receiveUpload(
  uploads: Uploads,
  req: Request,
  res: Response,
  request: UploadRequest,
): Promise<Received> {
  const upload = await admit(uploads, req);
  try {
    const { claim } = request;
    // All tries of one claim have its id, and with it the same time.
    const id = claim?.id ?? newMediaId();
    const openedAt = performance.now();
    // Redis takes a write before anything is read from the client or sent to the host.
    const opened = await promptly(
      uploads.intents.open(id, publicIdFor(uploads.folder, id), uploads.uploads.maxBacklog),
    );
    if (opened === 'overloaded')
      throw new HoldfastError('OVERLOADED', 'too many jobs wait', { retryAfterSeconds: 5 });
    failpoint('upload.intent-open');
    upload.id = id;
    upload.claim = claim;
    upload.acknowledgedAt = openedAt;
    try {
      return await receiveAndAccept(uploads, req, res, upload, request);
    } catch (error) {
      upload.cancel.abort(error);
      await undo(uploads, upload, error);
      throw error;
    }
  } finally {
    upload.end();
  }
}

async function receiveAndAccept(
  uploads: Uploads,
  req: Request,
  res: Response,
  upload: Upload,
  request: UploadRequest,
): Promise<Received> {
  const { id, claim: held, maxBytes } = upload;
  const { uploadedBy, duplicates, unfinished } = request;
  const { signal } = upload.cancel;
  signal.throwIfAborted();
  for (const { asset } of unfinished) await uploads.host.remove(asset, signal);

  /** What the asset carries before its file and fields are known in full. */
  const atStart = (filename: string): CarriedFields =>
    firstFields({ id, filename, uploadedBy, source: 'upload' }, new Date(timeOfId(id)));
  // A large file is on the host, not yet committed, when this resolves.
  const { file, filename, fields } = await receiveForm(req, res, signal, (stream, name) =>
    receiveFile(stream, {
      maxBytes,
      allowedTypes: uploads.uploads.allowedTypes,
      transfer: (kind, body) => putLarge(uploads, upload, atStart(name), kind, body),
    }),
  );
  const fingerprint = held === null ? '' : requestFingerprint(req, { ...file, filename, fields });

  if (duplicates === 'return') {
    const existing = await findDuplicate(uploads, file, uploadedBy);
    if (existing !== null) {
      await replaceByDuplicate(uploads, upload, existing, fingerprint);
      return { record: existing, duplicate: true };
    }
  }

  const ref = upload.ref ?? (await place(uploads, upload, file.kind));
  const claim = held && { ...held, fingerprint, exclusive: true };
  failpoint('upload.before-commit');
  // A small body goes to the host now: from here on it may have the asset.
  upload.ref = ref;
  const record = await commitUpload(uploads.host, {
    ref,
    file,
    fields: { ...atStart(filename), ...fields, checksum: { sha256: file.sha256, md5: file.md5 } },
    claim,
    folder: uploads.folder,
    signal,
  });
  failpoint('upload.committed');

  upload.acceptanceAsked = true;
  return { record: await acceptUpload(uploads, record, claim, upload) };
}

/**
 * Reads the form of an upload, its file by `receive`. Throws what that throws, and what any upload throws for a bad body;
 * after the whole of it, since only then it is known, DIGEST_MISMATCH.
 */
export async function receiveForm<File extends FileDigest>(
  req: Request,
  res: Response,
  signal: AbortSignal,
  receive: (stream: Readable, filename: string) => Promise<File>,
): Promise<{ file: File; filename: string; fields: EditableFields }> {
  const digest = readReprDigest(req.get('repr-digest'));
  signal.throwIfAborted();
  inviteBody(req, res);
  let filename = '';
  const form = parseForm(req, res, (stream, name) => {
    filename = cleanFilename(name);
    return receive(stream, filename);
  });
  const { file, fields } = await untilAborted(form, signal);
  if (digest !== null && digest !== file.sha256) throw new HoldfastError('DIGEST_MISMATCH');
  return { file, filename, fields: parseMediaFields(fields) };
}

/** Grace of an upload that was never committed, beyond the time its bytes may take (docs/architecture.md, crash windows). */
const DEADLINE_GRACE_SECONDS = 30;

async function putLarge(
  uploads: Uploads,
  upload: Upload,
  fields: CarriedFields,
  kind: FileKind,
  body: Readable,
): Promise<PutResult> {
  const ref = await place(uploads, upload, kind);
  const { lengthAtMost, maxBytes } = upload;
  const transferSeconds = Math.ceil((lengthAtMost ?? maxBytes) / SLOWEST_BYTES_PER_SECOND);
  upload.ref = ref;
  upload.transfer = uploads.host.put({
    ref,
    metadata: writeHostMetadata({
      mark: { state: 'started', deadlineSeconds: DEADLINE_GRACE_SECONDS + transferSeconds },
      fields,
    }),
    body,
    format: kind.extension,
    signal: upload.cancel.signal,
    ...(lengthAtMost === undefined ? {} : { contentLength: lengthAtMost }),
  });
  failpoint('upload.bytes-begun');
  const stored = await upload.transfer;
  failpoint('upload.bytes-stored');
  return stored;
}

/**
 * Where the asset will be. The intent knows the public id of all but raw files from the start, theirs depends on the kind;
 * and that of a try that took over may be the one of its predecessor.
 */
async function place({ intents, folder }: Uploads, upload: Upload, kind: FileKind): Promise<AssetRef> {
  const ref = refFor(folder, upload.id, kind);
  const isKnown = ref.resourceType !== 'raw' && upload.claim?.takenOver !== true;
  if (!isKnown && (await intents.describe(upload.id, ref.publicId)) === 'dead')
    throw new HoldfastError('UPLOAD_EXPIRED');
  return ref;
}

const CONFIRM_WITHIN_MS = 3_000;
/** Of the copies, the newest. */
const COPIES_AT_MOST = 100;
/** One confirmed copy is enough; at most this many unconfirmed ones are tried. */
const LOOK_AT_MOST = 5;

/**
 * The record of a file with these bytes from the same uploader that the host confirms at this moment, or null, also when nobody
 * can tell: the new copy is then kept.
 */
async function findDuplicate(
  { catalog, host }: Uploads,
  { sha256, bytes, md5 }: FileDigest,
  uploadedBy: string,
): Promise<MediaRecord | null> {
  const copies = { sha256, order: 'newest', limit: COPIES_AT_MOST } as const;
  const { items } = await catalog.list(copies).catch(() => ({ items: [] }));
  const candidates = items.filter(
    (record) =>
      record.uploadedBy === uploadedBy && (record.status === 'saving' || record.status === 'verified'),
  );
  const signal = AbortSignal.timeout(CONFIRM_WITHIN_MS);
  for (const record of candidates.slice(0, LOOK_AT_MOST)) {
    const { publicId, resourceType } = record;
    const asset = await host.find({ publicId, resourceType }, signal).catch(() => null);
    if (asset?.bytes === bytes && asset.etag === md5) return record;
  }
  return null;
}

/** Answers with the existing record: the key remembers that answer, and the new copy is removed. */
async function replaceByDuplicate(
  uploads: Uploads,
  upload: Upload,
  { id }: MediaRecord,
  fingerprint: string,
): Promise<void> {
  // A key that could not remember it finds the same duplicate again.
  if (upload.claim !== null)
    await uploads.claims
      .finish(upload.claim, { id, fingerprint, duplicate: true })
      .catch((error: unknown) => uploads.log.warn('upload.duplicate_not_remembered', { id, error }));
  await undoUpload(uploads, upload);
}

/**
 * The last step before the acknowledgement, for an asset that carries the commit mark: the record enters the catalog, its
 * claim is fulfilled and its jobs enter the queue, all at once. With Redis away it is deferred, as long as `upload` is fresh: nobody
 * may have given it up meanwhile. Without `upload` the asset carried the mark before this request: it is accepted whatever became of its
 * intent, and never deferred. Throws UPLOAD_EXPIRED or QUEUE_UNAVAILABLE: the upload must then be undone; MEDIA_NOT_FOUND when the file
 * was deleted before.
 */
export async function acceptUpload(
  { intents, queues, deferred, log }: Uploads,
  record: MediaRecord,
  claim: FulfilledClaim | null,
  upload?: Pick<Upload, 'isFresh'>,
): Promise<MediaRecord> {
  const { id } = record;
  const acceptance = { record, claim, jobs: queues.jobsOf(record) };
  const wasCommitted = upload === undefined;
  try {
    // While the lease is fresh nobody can have given the upload up: an intent that is gone was wiped with Redis, and
    // a sync may be adopting the asset at this moment.
    const outcome = await intents.accept({ ...acceptance, committed: wasCommitted || upload.isFresh() });
    if (outcome === 'tombstoned') throw new HoldfastError('MEDIA_NOT_FOUND', 'the file was deleted');
    if (!isAccepted(outcome)) throw new HoldfastError('UPLOAD_EXPIRED');
    if (outcome === 'unqueued') log.warn('upload.not_queued', { id });
  } catch (error) {
    if (wasCommitted || !upload.isFresh() || !isHoldfastError(error, 'QUEUE_UNAVAILABLE')) throw error;
    // The client gets a 202, so it is accepted even if another try has the claim by then.
    const counting = { ...acceptance, committed: true, claim: claim && { ...claim, exclusive: false } };
    const finish = async (): Promise<void> =>
      log.info('upload.deferred_settled', { id, outcome: await intents.accept(counting) });
    if (!deferred.add(id, finish, record)) throw error;
    log.warn('upload.deferred', { id });
    return { ...record, status: 'deferred' };
  }
  failpoint('upload.accepted');
  return record;
}

/** Time for a cancelled transfer to stop: one that still runs could store the asset after its removal. */
const LET_GO_MS = 2_000;

async function undo(uploads: Uploads, upload: Upload, error: unknown): Promise<void> {
  const { claim, ref, transfer } = upload;
  if (transfer !== null) await withinMs<unknown, null>(LET_GO_MS, transfer, null).catch(() => null);
  // What an earlier try may have left under this id is for the next one, or for the sweep, to find.
  if (claim?.takenOver === true && ref === null) return;
  const unsettled =
    !isHoldfastError(error) || isHoldfastError(error, 'HOST_TIMEOUT', 'HOST_REJECTED', 'INTERNAL');
  await undoUpload(uploads, upload, unsettled);
}
