import { setTimeout as pause } from 'node:timers/promises';
import type { Request, Response } from 'express';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { failpoint } from '@holdfast/shared/failpoint';
import { claimKey, type ClaimReply, type HeldClaim } from '@holdfast/shared/idempotency';
import { untilAborted } from '@holdfast/foundation/lifecycle';
import { newMediaId, publicIdFor, recordFromAsset } from '@holdfast/shared/media';
import { findOwnAssets, type OwnAsset } from '@holdfast/shared/media-host';
import { clientOf, goneWith } from '../http/request-context.js';
import { inviteBody } from '../http/request-bodies.js';
import { cleanFilename } from '../media/new-media.js';
import { findMedia } from '../media/read-media.js';
import { parseMediaFields } from '../media/media-fields.js';
import { waitInPlace } from '../http/prefer.js';
import { admit, promptly } from './admission.js';
import { acceptUpload, receiveUpload, type Received, type UploadRequest } from './receive-upload.js';
import { digestFile, parseForm, readReprDigest, requestFingerprint, type FileDigest } from './upload-form.js';
import type { Uploads } from './uploads.js';

export type KeyedOutcome = Received & {
  /** An earlier request with the key has the answer. */
  replayed: boolean;
};

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
): Promise<KeyedOutcome> {
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
    const received = await receiveUpload(uploads, req, res, { ...options, claim, unfinished });
    return { ...received, replayed: false };
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

/** Of all that uploads share. */
export type ClaimParts = Pick<Uploads, 'rebuilding' | 'claimWaitMs' | 'waiters'> & {
  claims: Pick<Uploads['claims'], 'claim' | 'release'>;
  shutdown: Pick<Uploads['shutdown'], 'draining'>;
};

interface ClaimRequest {
  client: string;
  key: string;
  /** The client whose share of the waiting requests it counts against. */
  waiter: string;
}

/**
 * The right to work under a client's key, or the outcome of an earlier request. Waits for one that is under way. Throws
 * IDEMPOTENCY_IN_PROGRESS after that, or at once where too many wait, CATALOG_REBUILDING while claims may yet come back,
 * QUEUE_UNAVAILABLE, CLIENT_ABORTED or SHUTTING_DOWN.
 */
export async function takeClaim(
  parts: ClaimParts,
  request: ClaimRequest,
  gone: AbortSignal,
): Promise<Extract<ClaimReply, { state: 'held' | 'done' }>> {
  const { claims, rebuilding, claimWaitMs, waiters, shutdown } = parts;
  let reply = await askForClaim(parts, request);
  if (reply.state === 'running') {
    const until = performance.now() + claimWaitMs;
    const leaving = AbortSignal.any([gone, shutdown.draining]);
    await waitInPlace(waiters, request.waiter, leaving, async (signal) => {
      for (let pauseMs = FIRST_PAUSE_MS; reply.state === 'running'; pauseMs *= 1.5) {
        const left = until - performance.now();
        if (left <= 0 || signal.aborted) return;
        await pause(Math.min(pauseMs, LONGEST_PAUSE_MS, left), undefined, { signal }).catch(() => undefined);
        if (!signal.aborted) reply = await askForClaim(parts, request);
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
  { claims, rebuilding }: ClaimParts,
  { client, key }: ClaimRequest,
): Promise<Exclude<ClaimReply, { state: 'emptied' }>> {
  for (;;) {
    const before = rebuilding.knownEpoch();
    const asked = claims.claim(claimKey(client, key), newMediaId(), before);
    const reply = await promptly(asked).catch((error: unknown) => {
      void giveBack(claims, asked);
      throw error;
    });
    if (reply.state !== 'emptied') return reply;
    // Looks at the catalog that there is now: it may have been refilled since, and the keys with it.
    if ((await rebuilding.isOn()) || rebuilding.knownEpoch() === before) throw beingRebuilt();
  }
}

/** The request was refused already, and the next try would wait for the lease. Where Redis does not answer at all, the lease expires. */
async function giveBack(claims: ClaimParts['claims'], asked: Promise<ClaimReply>): Promise<void> {
  try {
    const reply = await asked;
    if (reply.state === 'held') await claims.release(reply.claim, reply.claim.takenOver);
  } catch {
    // Redis is away.
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
): Promise<KeyedOutcome> {
  const fingerprint = carried.claim?.fingerprint ?? '';
  const sent = await refuseOtherRequest(uploads, req, res, fingerprint);
  if (asset.bytes !== sent.bytes || (asset.etag !== null && asset.etag !== sent.md5))
    throw new HoldfastError('HOST_CONTENT_MISMATCH');
  const record = recordFromAsset(asset, uploads.folder, 'upload', carried);
  // Committed: neither the sweep nor another try takes it away, so nothing must be kept alive meanwhile.
  await acceptUpload(uploads, record, { ...claim, fingerprint, exclusive: false });
  const latest = await uploads.catalog.find(record.id).catch(() => null);
  return { record: latest ?? record, duplicate: false, replayed: false };
}

/**
 * Reads an upload to its end and keeps only what distinguishes it from others. Throws what any upload throws for a bad body; after the
 * whole of it, since only then is it known, DIGEST_MISMATCH or IDEMPOTENCY_MISMATCH.
 */
async function refuseOtherRequest(
  uploads: Uploads,
  req: Request,
  res: Response,
  fingerprint: string,
): Promise<FileDigest> {
  const digest = readReprDigest(req.get('repr-digest'));
  const { cancel, maxBytes, end } = await admit(uploads, req, false);
  try {
    cancel.signal.throwIfAborted();
    inviteBody(req, res);
    const form = parseForm(req, res, async (stream, filename) => ({
      filename: cleanFilename(filename),
      ...(await digestFile(stream, maxBytes)),
    }));
    const { file, fields } = await untilAborted(form, cancel.signal);
    const sent = { ...file, fields: parseMediaFields(fields) };
    if (digest !== null && digest !== sent.sha256) throw new HoldfastError('DIGEST_MISMATCH');
    if (requestFingerprint(req, sent) !== fingerprint) throw new HoldfastError('IDEMPOTENCY_MISMATCH');
    return sent;
  } finally {
    end();
  }
}
