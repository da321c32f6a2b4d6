import { setTimeout as pause } from 'node:timers/promises';
import type { Request, Response } from 'express';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { failpoint } from '@holdfast/shared/failpoint';
import { claimKey, type ClaimReply, type HeldClaim } from '@holdfast/shared/idempotency';
import { newMediaId, publicIdFor, recordFromAsset } from '@holdfast/shared/media';
import { findOwnAssets, type OwnAsset } from '@holdfast/shared/media-host';
import { clientOf, goneWith } from '../http/request-context.js';
import { findMedia } from '../media/read-media.js';
import { waitInPlace } from '../http/prefer.js';
import { admit, promptly } from './admission.js';
import {
  acceptUpload,
  receiveForm,
  receiveUpload,
  type Received,
  type UploadRequest,
} from './receive-upload.js';
import { digestFile, requestFingerprint, type FileDigest } from './upload-form.js';
import type { Uploads } from './uploads.js';

/**
 * An upload of which all requests with the same key of the same client together make one file, whichever of them die or
 * race, through whichever process they come: claimed -> a finished one is replayed, one that died is resumed where it got as
 * far as the commit mark, else taken over under the same id.
 */
export async function keyedUpload(
  uploads: Uploads,
  req: Request,
  res: Response,
  { key, ...options }: Pick<UploadRequest, 'uploadedBy' | 'duplicates'> & { key: string },
): Promise<Received> {
  const request = { client: options.uploadedBy, key, waiter: clientOf(req) };
  const taken = await takeClaim(uploads, request, goneWith(res));
  if (taken.state === 'done') {
    const { id, fingerprint, duplicate } = taken.finished;
    await refuseOtherRequest(uploads, req, res, fingerprint);
    return { record: await findMedia(uploads, id), duplicate, replayed: true };
  }
  const { claim } = taken;
  failpoint('upload.claimed');
  try {
    const earlier = claim.takenOver ? await findEarlierTry(uploads, claim.id) : [];
    const committed = earlier.find(({ carried }) => carried.mark.state === 'committed');
    if (committed !== undefined) return await resume(uploads, req, res, claim, committed);
    const unfinished = earlier.filter(({ carried }) => carried.mark.state === 'started');
    return await receiveUpload(uploads, req, res, { ...options, claim, unfinished });
  } catch (error) {
    // What an earlier try may have left is found under its id only. Where that cannot lead anywhere, the next one is new.
    const keepId = claim.takenOver && !isHoldfastError(error, 'MEDIA_NOT_FOUND');
    // A claim that cannot be released expires.
    await uploads.claims.release(claim, keepId).catch(() => undefined);
    throw error;
  }
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 500;

/**
 * The right to work under a client's key, or the outcome of an earlier request. Waits for one that is under way, in the share of
 * the waiting requests that `waiter` has. Throws
 * IDEMPOTENCY_IN_PROGRESS after that, or at once where too many wait, CATALOG_REBUILDING while claims may yet come back,
 * QUEUE_UNAVAILABLE, CLIENT_ABORTED or SHUTTING_DOWN.
 */
export async function takeClaim(
  uploads: Uploads,
  { client, key, waiter }: { client: string; key: string; waiter: string },
  gone: AbortSignal,
): Promise<Extract<ClaimReply, { state: 'held' | 'done' }>> {
  const { claims, rebuilding, claimWaitMs, waiters, shutdown } = uploads;
  const claimed = claimKey(client, key);
  let reply = await askForClaim(uploads, claimed);
  if (reply.state === 'running') {
    const until = performance.now() + claimWaitMs;
    const leaving = AbortSignal.any([gone, shutdown.draining]);
    await waitInPlace(waiters, waiter, leaving, async (signal) => {
      for (let pauseMs = FIRST_PAUSE_MS; reply.state === 'running'; pauseMs *= 1.5) {
        const left = until - performance.now();
        if (left <= 0 || signal.aborted) return;
        await pause(Math.min(pauseMs, LONGEST_PAUSE_MS, left), undefined, { signal }).catch(() => undefined);
        if (!signal.aborted) reply = await askForClaim(uploads, claimed);
      }
    });
  }
  if (reply.state === 'running') {
    if (gone.aborted) throw new HoldfastError('CLIENT_ABORTED');
    if (shutdown.draining.aborted) throw new HoldfastError('SHUTTING_DOWN');
    throw new HoldfastError('IDEMPOTENCY_IN_PROGRESS', undefined, {
      retryAfterSeconds: reply.leaseMs / 1_000,
    });
  }
  // A key that Redis does not know may be one that it has forgotten.
  if (reply.state === 'held' && !reply.claim.takenOver && (await rebuilding.isOn())) {
    await claims.release(reply.claim, false);
    throw beingRebuilt();
  }
  return reply;
}

async function askForClaim(
  { claims, rebuilding }: Uploads,
  key: string,
): Promise<Exclude<ClaimReply, { state: 'emptied' }>> {
  for (;;) {
    const before = rebuilding.knownEpoch();
    const reply = await promptly(claims.claim(key, newMediaId(), before));
    if (reply.state !== 'emptied') return reply;
    // Looks at the catalog that there is now: it may have been refilled since, and the keys with it.
    if ((await rebuilding.isOn()) || rebuilding.knownEpoch() === before) throw beingRebuilt();
  }
}

function beingRebuilt(): HoldfastError {
  return new HoldfastError('CATALOG_REBUILDING', 'it is not yet known whether this Idempotency-Key was used');
}

const FIND_WITHIN_MS = 5_000;

/**
 * What a request that died, or lost its claim, has left on the host under the id that its successor now has. Rejects when the
 * host does not answer: nothing is guessed.
 */
async function findEarlierTry({ host, intents, catalog, folder }: Uploads, id: string): Promise<OwnAsset[]> {
  // Raw files have a public id that the id alone does not tell.
  const publicId =
    (await catalog.find(id))?.publicId ?? (await intents.publicIdOf(id)) ?? publicIdFor(folder, id);
  return findOwnAssets(host, folder, { id, publicId }, AbortSignal.timeout(FIND_WITHIN_MS));
}

/** The file is on the host with its commit mark; the try that put it there died before its answer. */
async function resume(
  uploads: Uploads,
  req: Request,
  res: Response,
  claim: HeldClaim,
  { asset, carried }: OwnAsset,
): Promise<Received> {
  const fingerprint = carried.claim?.fingerprint ?? '';
  const sent = await refuseOtherRequest(uploads, req, res, fingerprint);
  if (asset.bytes !== sent.bytes || (asset.etag !== null && asset.etag !== sent.md5))
    throw new HoldfastError('HOST_CONTENT_MISMATCH');
  const record = recordFromAsset(asset, uploads.folder, 'upload', carried);
  // Committed: neither the sweep nor another try takes it away, so nothing must be kept alive meanwhile.
  await acceptUpload(uploads, record, { ...claim, fingerprint, exclusive: false });
  const latest = await uploads.catalog.find(record.id).catch(() => null);
  return { record: latest ?? record };
}

/**
 * Reads an upload to its end and keeps only what distinguishes it from others. Throws what any upload throws for a bad body, and after
 * the whole of it IDEMPOTENCY_MISMATCH.
 */
async function refuseOtherRequest(
  uploads: Uploads,
  req: Request,
  res: Response,
  fingerprint: string,
): Promise<FileDigest> {
  const { cancel, maxBytes, end } = await admit(uploads, req, false);
  try {
    const { file, ...sent } = await receiveForm(req, res, cancel.signal, (stream) =>
      digestFile(stream, maxBytes),
    );
    if (requestFingerprint(req, { ...file, ...sent }) !== fingerprint)
      throw new HoldfastError('IDEMPOTENCY_MISMATCH');
    return file;
  } finally {
    end();
  }
}
