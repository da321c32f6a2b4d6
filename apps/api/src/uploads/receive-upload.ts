import type { Request, Response } from 'express';
import { HoldfastError, isHoldfastError } from '@holdfast/shared/errors';
import { failpoint } from '@holdfast/shared/failpoint';
import type { Intents } from '@holdfast/shared/intents';
import { publicIdFor, writeHostMetadata, type MediaRecord } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';
import { inviteBody } from '../http/expect-continue.js';
import type { Shutdown } from '../http/shutdown.js';
import { parseMediaFields } from '../media/media-fields.js';
import { acceptUpload, type Accepting } from './accept-upload.js';
import type { Admission, Admitted } from './admission.js';
import { SLOWEST_BYTES_PER_SECOND, watchPace } from './body-pace.js';
import { cancellable } from './cancellable.js';
import { commitUpload } from './commit-upload.js';
import { parseForm, type ParsedForm } from './parse-form.js';
import { receiveFile, type ReceivedFile, type ReceiveOptions } from './receive-file.js';
import { readReprDigest } from './repr-digest.js';
import type { Undoing } from './undo-upload.js';
import { cleanFilename, fieldsAtStart, newAttempt, refFor, type UploadAttempt } from './upload-attempt.js';

export interface UploadDependencies extends Accepting {
  host: MediaHost;
  intents: Intents;
  admission: Admission;
  undoing: Undoing;
  shutdown: Pick<Shutdown, 'cut'>;
  /** Folder of our own assets on the host. */
  folder: string;
  allowedTypes: readonly string[];
  maxBacklog: number;
}

/** Grace of an upload that was never committed, beyond the time its bytes may take (docs/architecture.md, crash windows). */
const DEADLINE_GRACE_SECONDS = 30;
/** How long an abandoned transfer may take to let go before its asset is removed. */
const LET_GO_MS = 2_000;

/**
 * One upload from the first byte to the point where it may be acknowledged: intent -> bytes -> checks -> commit mark on the
 * host -> accepted into the catalog -> jobs. Resolves with the record, saving or deferred. After any rejection the asset
 * is gone from the host, or its removal is remembered.
 */
export async function receiveUpload(
  deps: UploadDependencies,
  req: Request,
  res: Response,
  uploadedBy: string,
): Promise<MediaRecord> {
  const admitted = await deps.admission.admit(req);
  try {
    const digest = readReprDigest(headerOf(req, 'repr-digest'));
    const attempt = newAttempt(uploadedBy, deadlineOf(admitted));
    // Redis must take a write before anything is read from the client or sent to the host.
    const opened = await deps.intents.open(attempt.id, publicIdFor(deps.folder, attempt.id), deps.maxBacklog);
    if (opened === 'overloaded')
      throw new HoldfastError('OVERLOADED', 'too many jobs wait', { retryAfterSeconds: 5 });
    failpoint('upload.intent-open');
    return await whileAlive(deps, req, attempt, async () => {
      inviteBody(req, res);
      const form = await cancellable(attempt.cancel.signal, receiveForm(deps, req, res, admitted, attempt));
      return finish(deps, attempt, form, digest);
    });
  } finally {
    admitted.leave();
  }
}

/** Runs the work under a heartbeat, watching the client, and undoes what a failure leaves. */
async function whileAlive(
  deps: UploadDependencies,
  req: Request,
  attempt: UploadAttempt,
  work: () => Promise<MediaRecord>,
): Promise<MediaRecord> {
  const { cancel, id } = attempt;
  const giveUp = (reason: HoldfastError): void => cancel.abort(reason);
  deps.heartbeat.begin(id, giveUp);
  const endWatch = watchPace(req, giveUp);
  const onCut = (): void => giveUp(new HoldfastError('SHUTTING_DOWN', undefined, { retryAfterSeconds: 2 }));
  deps.shutdown.cut.addEventListener('abort', onCut, { once: true });
  const onGone = (): void => giveUp(new HoldfastError('CLIENT_ABORTED'));
  req.once('aborted', onGone);
  // While the upload was admitted nobody listened, and what is aborted does not say so again.
  if (req.destroyed && !req.readableEnded) onGone();
  try {
    cancel.signal.throwIfAborted();
    return await work();
  } catch (error) {
    cancel.abort(error);
    await letGo(attempt);
    const unsettled =
      !isHoldfastError(error) || isHoldfastError(error, 'HOST_TIMEOUT', 'HOST_REJECTED', 'INTERNAL');
    await deps.undoing.undo({ id, ref: attempt.sent ? attempt.ref : null, unsettled });
    throw error;
  } finally {
    endWatch();
    deps.shutdown.cut.removeEventListener('abort', onCut);
    deps.heartbeat.end(id);
  }
}

/** Reads the form; a large file is on the host, not yet committed, when this resolves. */
function receiveForm(
  deps: UploadDependencies,
  req: Request,
  res: Response,
  admitted: Admitted,
  attempt: UploadAttempt,
): Promise<ParsedForm<ReceivedFile>> {
  const { host, folder, allowedTypes } = deps;
  const transfer: ReceiveOptions['transfer'] = async (kind, body) => {
    attempt.ref = await announce(deps, attempt, refFor(folder, attempt.id, kind));
    attempt.sent = true;
    const metadata = writeHostMetadata({
      mark: { state: 'started', deadlineSeconds: attempt.deadlineSeconds },
      fields: fieldsAtStart(attempt),
    });
    const length = admitted.lengthAtMost;
    const put = host.put({
      ref: attempt.ref,
      metadata,
      body,
      signal: attempt.cancel.signal,
      ...(length === undefined ? {} : { contentLength: length }),
    });
    attempt.transfer = put;
    failpoint('upload.bytes-begun');
    const stored = await put;
    failpoint('upload.bytes-stored');
    return stored;
  };
  return parseForm(req, res, (incoming) => {
    attempt.filename = cleanFilename(incoming.filename);
    return receiveFile(incoming.stream, { maxBytes: admitted.maxBytes, allowedTypes, transfer });
  });
}

/** Everything after the last byte of the request. */
async function finish(
  deps: UploadDependencies,
  attempt: UploadAttempt,
  form: ParsedForm<ReceivedFile>,
  digest: string | null,
): Promise<MediaRecord> {
  const { host, folder } = deps;
  const { file } = form;
  const described = parseMediaFields(form.fields);
  if (digest !== null && digest !== file.sha256) throw new HoldfastError('DIGEST_MISMATCH');
  attempt.ref ??= await announce(deps, attempt, refFor(folder, attempt.id, file.kind));
  failpoint('upload.before-commit');
  const record = await commitUpload(host, {
    ref: attempt.ref,
    file,
    fields: { ...fieldsAtStart(attempt), ...described, sha256: file.sha256, md5: file.md5 },
    folder,
    signal: attempt.cancel.signal,
    onSending: () => {
      attempt.sent = true;
    },
  });
  failpoint('upload.committed');
  return acceptUpload(deps, record);
}

/** The intent knows the public id of all but raw files from the start; theirs depends on the kind. */
async function announce<Ref extends { publicId: string; resourceType: string }>(
  deps: UploadDependencies,
  attempt: UploadAttempt,
  ref: Ref,
): Promise<Ref> {
  if (ref.resourceType === 'raw' && (await deps.intents.describe(attempt.id, ref.publicId)) === 'dead') {
    throw new HoldfastError('UPLOAD_EXPIRED', undefined, { retryAfterSeconds: 1 });
  }
  return ref;
}

/** A transfer that still runs could store the asset after we removed it. */
async function letGo(attempt: UploadAttempt): Promise<void> {
  if (attempt.transfer === null) return;
  await cancellable(AbortSignal.timeout(LET_GO_MS), attempt.transfer).catch(() => undefined);
}

function deadlineOf({ lengthAtMost, maxBytes }: Admitted): number {
  return DEADLINE_GRACE_SECONDS + Math.ceil((lengthAtMost ?? maxBytes) / SLOWEST_BYTES_PER_SECOND);
}

function headerOf(req: Request, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}
