import type { Readable } from 'node:stream';
import type { Request, Response } from 'express';
import type { Catalog } from '@holdfast/shared/catalog';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { failpoint } from '@holdfast/shared/failpoint';
import type { Claims, HeldClaim } from '@holdfast/shared/idempotency';
import { isAccepted, type FulfilledClaim, type Intents } from '@holdfast/shared/intents';
import type { MediaQueues } from '@holdfast/shared/jobs';
import { untilAborted, withinMs } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import {
  SLOWEST_BYTES_PER_SECOND,
  writeHostMetadata,
  type CarriedFields,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { AssetRef, MediaHost, PutResult } from '@holdfast/shared/media-host';
import { inviteBody } from '../http/request-bodies.js';
import { cleanFilename, firstFields, refFor } from '../media/new-media.js';
import { parseMediaFields, type MediaFields } from '../media/media-fields.js';
import type { Admission, Admitted } from './admission.js';
import { commitUpload } from './commit-upload.js';
import type { DeferredUploads } from './deferred-uploads.js';
import { findDuplicate, replaceByDuplicate } from './duplicates.js';
import type { FileKind } from './file-kind.js';
import type { IntentOpener } from './open-intent.js';
import { readReprDigest, receiveFile, type ReceivedFile } from './receive-file.js';
import { requestFingerprint } from './request-fingerprint.js';
import type { Undoing } from './undo-upload.js';
import { parseForm } from './upload-form.js';
import type { UploadLease, UploadLeases } from './upload-lease.js';

export interface UploadDependencies {
  host: MediaHost;
  intents: Intents;
  claims: Claims;
  catalog: Pick<Catalog, 'find' | 'withSha256'>;
  queues: Pick<MediaQueues, 'jobsOf'>;
  admission: Admission;
  intentOpener: IntentOpener;
  leases: UploadLeases;
  undoing: Undoing;
  deferred: DeferredUploads;
  /** Folder of our own assets on the host. */
  folder: string;
  allowedTypes: readonly string[];
  log: Logger;
}

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
  duplicate: boolean;
}

/** One upload under way: what identifies it, and how far it has come. */
interface Upload extends UploadRequest, Admitted {
  readonly id: string;
  readonly startedAt: Date;
  filename: string;
  /** Known once the kind of the file is. */
  ref: AssetRef | null;
  /** The host may have something under `ref`. */
  sent: boolean;
  /** The running transfer of a large body. */
  transfer: Promise<PutResult> | null;
  /** Redis may have accepted it. */
  acceptanceAsked: boolean;
}

/**
 * One upload from the first byte to the point where it may be acknowledged: admitted -> intent -> bytes received, large ones
 * put on the host -> checks -> commit mark on the host -> accepted into the catalog with its jobs. Resolves with the record,
 * saving or deferred, or with the duplicate. After any rejection the asset is gone from the host, or its removal is remembered.
 */
export async function receiveUpload(
  deps: UploadDependencies,
  req: Request,
  res: Response,
  request: UploadRequest,
): Promise<Received> {
  const admitted = await deps.admission.admit(req);
  try {
    const digest = readReprDigest(req.get('repr-digest'));
    // Redis takes a write before anything is read from the client or sent to the host.
    const intent = await deps.intentOpener.open(request.claim?.id ?? null);
    failpoint('upload.intent-open');
    const upload: Upload = {
      ...request,
      id: intent.id,
      startedAt: intent.startedAt,
      ...admitted,
      filename: '',
      ref: null,
      sent: false,
      transfer: null,
      acceptanceAsked: false,
    };
    const lease = deps.leases.begin(req, upload.cancel, { ...intent, claim: request.claim });
    try {
      return await receiveAndAccept(deps, req, res, upload, lease, digest);
    } catch (error) {
      upload.cancel.abort(error);
      await undoUpload(deps, upload, lease, error);
      throw error;
    } finally {
      lease.end();
    }
  } finally {
    admitted.leave();
  }
}

async function receiveAndAccept(
  deps: UploadDependencies,
  req: Request,
  res: Response,
  upload: Upload,
  lease: UploadLease,
  digest: string | null,
): Promise<Received> {
  const { id, cancel, claim: held } = upload;
  const { signal } = cancel;
  signal.throwIfAborted();
  for (const { asset } of upload.unfinished) await deps.host.remove(asset, signal);

  inviteBody(req, res);
  const { file, fields } = await untilAborted(receiveForm(deps, req, res, upload), signal);
  if (digest !== null && digest !== file.sha256) throw new HoldfastError('DIGEST_MISMATCH');
  const fingerprint =
    held === null ? '' : requestFingerprint(req, { ...file, filename: upload.filename, fields });

  if (upload.duplicates === 'return') {
    const existing = await findDuplicate(deps, file, upload.uploadedBy);
    if (existing !== null) {
      const claim = held === null ? null : { held, isFresh: () => lease.isFresh(), keep: true };
      const copy = { id, ref: upload.sent ? upload.ref : null, claim };
      await replaceByDuplicate(deps, copy, existing, fingerprint);
      return { record: existing, duplicate: true };
    }
  }

  const ref = await place(deps, upload, file.kind);
  const claim = held === null ? null : { ...held, print: fingerprint, exclusive: true };
  failpoint('upload.before-commit');
  // A small body goes to the host now: from here on it may have the asset.
  upload.sent = true;
  const record = await commitUpload(deps.host, {
    ref,
    file,
    fields: { ...fieldsAtStart(upload), ...fields, sha256: file.sha256, md5: file.md5 },
    claim,
    folder: deps.folder,
    signal,
  });
  failpoint('upload.committed');

  upload.acceptanceAsked = true;
  const accepted = await acceptUpload(deps, record, {
    committed: false,
    claim,
    isFresh: () => lease.isFresh(),
  });
  return { record: accepted, duplicate: false };
}

/** Reads the form; a large file is on the host, not yet committed, when this resolves. */
async function receiveForm(
  deps: UploadDependencies,
  req: Request,
  res: Response,
  upload: Upload,
): Promise<{ file: ReceivedFile; fields: MediaFields }> {
  const { maxBytes } = upload;
  const transfer = (kind: FileKind, body: Readable): Promise<PutResult> => putLarge(deps, upload, kind, body);
  const { file, fields } = await parseForm(req, res, (incoming) => {
    upload.filename = cleanFilename(incoming.filename);
    return receiveFile(incoming.stream, { maxBytes, allowedTypes: deps.allowedTypes, transfer });
  });
  return { file, fields: parseMediaFields(fields) };
}

/** Grace of an upload that was never committed, beyond the time its bytes may take (docs/architecture.md, crash windows). */
const DEADLINE_GRACE_SECONDS = 30;

async function putLarge(
  deps: UploadDependencies,
  upload: Upload,
  kind: FileKind,
  body: Readable,
): Promise<PutResult> {
  const ref = await place(deps, upload, kind);
  const { lengthAtMost, maxBytes } = upload;
  const deadlineSeconds =
    DEADLINE_GRACE_SECONDS + Math.ceil((lengthAtMost ?? maxBytes) / SLOWEST_BYTES_PER_SECOND);
  upload.sent = true;
  upload.transfer = deps.host.put({
    ref,
    metadata: writeHostMetadata({
      mark: { state: 'started', deadlineSeconds },
      fields: fieldsAtStart(upload),
    }),
    body,
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
async function place(
  { intents, folder }: Pick<UploadDependencies, 'intents' | 'folder'>,
  upload: Upload,
  kind: FileKind,
): Promise<AssetRef> {
  if (upload.ref !== null) return upload.ref;
  const ref = refFor(folder, upload.id, kind);
  upload.ref = ref;
  const isKnown = ref.resourceType !== 'raw' && upload.claim?.takenOver !== true;
  if (!isKnown && (await intents.describe(upload.id, ref.publicId)) === 'dead')
    throw new HoldfastError('UPLOAD_EXPIRED');
  return ref;
}

/** What the asset carries before its file and fields are known in full. */
function fieldsAtStart({ id, filename, uploadedBy, startedAt }: Upload): CarriedFields {
  return firstFields({ id, filename, uploadedBy, source: 'upload' }, startedAt);
}

interface Acceptance {
  /** The asset has carried the commit mark since before this request: it counts, whichever try put it there. */
  committed: boolean;
  claim: FulfilledClaim | null;
  /** Whether nobody can have given the upload up meanwhile. */
  isFresh: () => boolean;
}

/**
 * The last step before the acknowledgement, for an asset that carries the commit mark: the record enters the catalog, its
 * claim is fulfilled and its jobs enter the queue, all at once. With Redis away it is deferred, as long as nobody may have
 * given the upload up meanwhile. Throws UPLOAD_EXPIRED or QUEUE_UNAVAILABLE: the upload must then be undone; MEDIA_NOT_FOUND when
 * the file was deleted before.
 */
export async function acceptUpload(
  deps: Pick<UploadDependencies, 'intents' | 'queues' | 'deferred' | 'log'>,
  record: MediaRecord,
  { committed, claim, isFresh }: Acceptance,
): Promise<MediaRecord> {
  const { intents, queues, deferred, log } = deps;
  const { id } = record;
  try {
    const jobs = await queues.jobsOf(record);
    // While the lease is fresh nobody can have given the upload up: an intent that is gone was wiped with Redis, and
    // a sync may be adopting the asset at this moment.
    const outcome = await intents.accept({ record, committed: committed || isFresh(), claim, jobs });
    if (outcome === 'tombstoned') throw new HoldfastError('MEDIA_NOT_FOUND', 'the file was deleted');
    if (!isAccepted(outcome)) throw new HoldfastError('UPLOAD_EXPIRED');
    if (outcome === 'unqueued') log.warn('upload.not_queued', { id });
  } catch (error) {
    if (!isHoldfastError(error, 'QUEUE_UNAVAILABLE') || !isFresh()) throw error;
    // Acknowledged: it counts, whichever try has the claim by then.
    if (!deferred.add(record, claim === null ? null : { ...claim, exclusive: false })) throw error;
    log.warn('upload.deferred', { id });
    return { ...record, status: 'deferred' };
  }
  failpoint('upload.accepted');
  return record;
}

/** Time for a cancelled transfer to stop: one that still runs could store the asset after its removal. */
const LET_GO_MS = 2_000;

async function undoUpload(
  { undoing }: UploadDependencies,
  { id, claim: held, sent, ref, transfer, acceptanceAsked }: Upload,
  lease: UploadLease,
  error: unknown,
): Promise<void> {
  if (transfer !== null) await withinMs<unknown, null>(LET_GO_MS, transfer, null).catch(() => null);
  // What an earlier try may have left under this id is for the next one, or for the sweep, to find.
  if (held?.takenOver === true && !sent) return;
  const unsettled =
    !isHoldfastError(error) || isHoldfastError(error, 'HOST_TIMEOUT', 'HOST_REJECTED', 'INTERNAL');
  const claim = held === null ? null : { held, isFresh: () => lease.isFresh(), keep: false };
  await undoing.undo({ id, ref: sent ? ref : null, unsettled, acceptanceAsked, claim });
}
