import type { Request, Response } from 'express';
import type { Catalog } from '@holdfast/shared/catalog';
import { HoldfastError } from '@holdfast/shared/errors';
import { failpoint } from '@holdfast/shared/failpoint';
import type { HeldClaim } from '@holdfast/shared/idempotency';
import type { Intents } from '@holdfast/shared/intents';
import { untilAborted } from '@holdfast/shared/lifecycle';
import { publicIdFor, SLOWEST_BYTES_PER_SECOND, type MediaRecord } from '@holdfast/shared/media';
import type { AssetRef, MediaHost } from '@holdfast/shared/media-host';
import { inviteBody } from '../http/expect-continue.js';
import type { Shutdown } from '../http/shutdown.js';
import { parseMediaFields, type MediaFields } from '../media/media-fields.js';
import { acceptUpload, type Accepting } from './accept-upload.js';
import type { Admission, Admitted } from './admission.js';
import { commitUpload } from './commit-upload.js';
import { findDuplicate } from './find-duplicate.js';
import type { Beating } from './heartbeat.js';
import type { OpenedAhead } from './opened-ahead.js';
import type { ParsedForm } from './upload-form.js';
import type { ReceivedFile } from './receive-file.js';
import { promptly } from './promptly.js';
import { announce, receiveForm } from './receive-form.js';
import { readReprDigest } from './receive-file.js';
import { requestPrint } from './request-print.js';
import { settleDuplicate } from './settle-duplicate.js';
import { fieldsAtStart, newAttempt, type UploadAttempt } from './upload-attempt.js';
import type { UploadWishes } from './upload-wishes.js';
import { whileAlive, type AliveDependencies } from './while-alive.js';

export interface UploadDependencies extends Accepting, AliveDependencies {
  host: MediaHost;
  intents: Intents;
  catalog: Pick<Catalog, 'find' | 'withSha256'>;
  admission: Admission;
  openedAhead: OpenedAhead;
  shutdown: Shutdown;
  /** Folder of our own assets on the host. */
  folder: string;
  allowedTypes: readonly string[];
  maxBacklog: number;
}

/** One upload as a client asks for it. */
export interface UploadRequest {
  uploadedBy: string;
  duplicates: UploadWishes['duplicates'];
  /** The client waits until the media is verified. */
  awaited: boolean;
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

/** Grace of an upload that was never committed, beyond the time its bytes may take (docs/architecture.md, crash windows). */
const DEADLINE_GRACE_SECONDS = 30;

/**
 * One upload from the first byte to the point where it may be acknowledged: intent -> bytes -> checks -> commit mark on the
 * host -> accepted into the catalog -> jobs. Resolves with the record, saving or deferred, or with the duplicate. After any
 * rejection the asset is gone from the host, or its removal is remembered.
 */
export async function receiveUpload(
  deps: UploadDependencies,
  req: Request,
  res: Response,
  request: UploadRequest,
): Promise<Received> {
  const admitted = await deps.admission.admit(req);
  try {
    const digest = readReprDigest(headerOf(req, 'repr-digest'));
    // A claim gives the id, and with it another intent.
    const opened = request.claim === null ? deps.openedAhead.take() : null;
    const attempt = newAttempt(request.uploadedBy, deadlineOf(admitted), request.claim, opened);
    const openedAt = opened?.at ?? (await openIntent(deps, attempt.id));
    failpoint('upload.intent-open');
    const { givenUp } = admitted;
    return await whileAlive(deps, req, attempt, { openedAt, givenUp }, async (beating) => {
      for (const { asset } of request.unfinished) await deps.host.remove(asset, attempt.cancel.signal);
      inviteBody(req, res);
      const form = await untilAborted(receiveForm(deps, req, res, admitted, attempt), attempt.cancel.signal);
      const complete = readComplete(req, attempt, form);
      if (digest !== null && digest !== form.file.sha256) throw new HoldfastError('DIGEST_MISMATCH');
      const existing =
        request.duplicates === 'return' ? await findDuplicate(deps, form.file, attempt.uploadedBy) : null;
      if (existing === null)
        return { record: await finish(deps, attempt, complete, beating, request.awaited), duplicate: false };
      await settleDuplicate(deps, attempt, existing, complete.print, beating);
      return { record: existing, duplicate: true };
    });
  } finally {
    admitted.leave();
  }
}

/** Redis must take a write before anything is read from the client or sent to the host. Gives when it was asked. */
async function openIntent({ intents, folder, maxBacklog }: UploadDependencies, id: string): Promise<number> {
  const at = performance.now();
  const opened = await promptly(intents.open(id, publicIdFor(folder, id), maxBacklog));
  if (opened === 'overloaded')
    throw new HoldfastError('OVERLOADED', 'too many jobs wait', { retryAfterSeconds: 5 });
  return at;
}

/** An upload of which every byte has come. */
interface Complete {
  file: ReceivedFile;
  fields: MediaFields;
  /** Fingerprint of the request; empty without a key. */
  print: string;
}

function readComplete(req: Request, attempt: UploadAttempt, form: ParsedForm<ReceivedFile>): Complete {
  const { file } = form;
  const fields = parseMediaFields(form.fields);
  if (attempt.claim === null) return { file, fields, print: '' };
  const sent = { ...file, filename: attempt.filename, fields };
  return { file, fields, print: requestPrint({ method: req.method, url: req.originalUrl }, sent) };
}

/** The last steps, after all checks. */
async function finish(
  deps: UploadDependencies,
  attempt: UploadAttempt,
  { file, fields, print }: Complete,
  beating: Beating,
  awaited: boolean,
): Promise<MediaRecord> {
  const { host, folder } = deps;
  const claim = attempt.claim === null ? null : { ...attempt.claim, print, exclusive: true };
  const ref = attempt.ref ?? (await announce(deps, attempt, file.kind));
  failpoint('upload.before-commit');
  const record = await commitUpload(host, {
    ref,
    file,
    fields: { ...fieldsAtStart(attempt), ...fields, sha256: file.sha256, md5: file.md5 },
    claim,
    folder,
    signal: attempt.cancel.signal,
    onSending: () => {
      attempt.sent = true;
    },
  });
  failpoint('upload.committed');
  attempt.acceptanceAsked = true;
  return acceptUpload(deps, record, {
    committed: false,
    awaited,
    claim,
    isFresh: () => beating.isFresh(),
  });
}

function deadlineOf({ lengthAtMost, maxBytes }: Admitted): number {
  return DEADLINE_GRACE_SECONDS + Math.ceil((lengthAtMost ?? maxBytes) / SLOWEST_BYTES_PER_SECOND);
}

function headerOf(req: Request, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}
