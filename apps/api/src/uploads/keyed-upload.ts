import type { Request, Response } from 'express';
import { HoldfastError, isHoldfastError } from '@holdfast/shared/errors';
import { failpoint } from '@holdfast/shared/failpoint';
import type { HeldClaim } from '@holdfast/shared/idempotency';
import { recordFromAsset, type MediaRecord } from '@holdfast/shared/media';
import type { OwnAsset } from '@holdfast/shared/media-host';
import { clientOf } from '../http/client-address.js';
import { findMedia, type FindDependencies } from '../media/find-media.js';
import { acceptUpload } from './accept-upload.js';
import { lookForEarlierTry, nothingEarlier } from './earlier-try.js';
import { readAndDiscard } from './read-and-discard.js';
import {
  receiveUpload,
  type Received,
  type UploadDependencies,
  type UploadRequest,
} from './receive-upload.js';
import { readReprDigest } from './receive-file.js';
import { requestPrint } from './request-print.js';
import { takeClaim, type ClaimDependencies } from './take-claim.js';

export type KeyedDependencies = UploadDependencies & ClaimDependencies & FindDependencies;

export type KeyedOutcome = Received & {
  /** An earlier request with the key has the answer. */
  replayed: boolean;
};

/**
 * An upload of which all requests with the same key of the same client together make one media, whichever of them die or
 * race, through whichever process they come.
 */
export async function keyedUpload(
  deps: KeyedDependencies,
  req: Request,
  res: Response,
  { key, ...wishes }: Pick<UploadRequest, 'uploadedBy' | 'duplicates' | 'awaited'> & { key: string },
): Promise<KeyedOutcome> {
  const taken = await takeClaim(
    deps,
    { client: wishes.uploadedBy, key, waiter: clientOf(req) },
    stopsWaiting(deps, res),
  );
  if (taken.state === 'done') {
    const { id, print, duplicate } = taken.finished;
    await refuseOtherRequest(deps, req, res, print);
    return { record: await findMedia(deps, id), duplicate, replayed: true };
  }
  const { claim } = taken;
  failpoint('upload.claimed');
  try {
    const earlier = claim.takenOver ? await lookForEarlierTry(deps, claim.id) : nothingEarlier;
    if (earlier.committed !== null)
      return await goOnFrom(deps, req, res, claim, earlier.committed, wishes.awaited);
    const upload = { ...wishes, claim, unfinished: earlier.unfinished };
    return { ...(await receiveUpload(deps, req, res, upload)), replayed: false };
  } catch (error) {
    // What an earlier try may have left is found under its id only. Where that cannot lead anywhere, the next one is new.
    const keepId = claim.takenOver && !isHoldfastError(error, 'MEDIA_NOT_FOUND');
    // A claim that cannot be given back runs out.
    await deps.claims.release(claim, keepId).catch(() => undefined);
    throw error;
  }
}

/** The media is on the host with its commit mark; the try that put it there could not tell. */
async function goOnFrom(
  deps: KeyedDependencies,
  req: Request,
  res: Response,
  claim: HeldClaim,
  { asset, carried }: OwnAsset,
  awaited: boolean,
): Promise<KeyedOutcome> {
  const print = carried.claim?.print ?? '';
  const sent = await refuseOtherRequest(deps, req, res, print);
  if (asset.bytes !== sent.bytes || (asset.etag !== null && asset.etag !== sent.md5))
    throw new HoldfastError('HOST_CONTENT_MISMATCH');
  const record = recordFromAsset(asset, deps.folder, 'upload', carried);
  // Committed: neither the sweep nor another try takes it away, so nothing must be kept alive meanwhile.
  await acceptUpload(deps, record, {
    committed: true,
    awaited,
    claim: { ...claim, print, exclusive: false },
    isFresh: () => false,
  });
  return { record: await latest(deps, record), duplicate: false, replayed: false };
}

async function latest({ catalog }: KeyedDependencies, record: MediaRecord): Promise<MediaRecord> {
  return (await catalog.find(record.id).catch(() => null)) ?? record;
}

/** Throws IDEMPOTENCY_MISMATCH, or DIGEST_MISMATCH, after the whole body: only it tells. */
async function refuseOtherRequest(
  deps: KeyedDependencies,
  req: Request,
  res: Response,
  print: string,
): Promise<Awaited<ReturnType<typeof readAndDiscard>>> {
  const digest = readReprDigest(req.get('repr-digest'));
  const sent = await readAndDiscard(deps, req, res);
  if (digest !== null && digest !== sent.sha256) throw new HoldfastError('DIGEST_MISMATCH');
  if (requestPrint({ method: req.method, url: req.originalUrl }, sent) !== print)
    throw new HoldfastError('IDEMPOTENCY_MISMATCH');
  return sent;
}

/** The client has gone, or the process is to end. */
function stopsWaiting({ shutdown }: KeyedDependencies, res: Response): AbortSignal {
  const draining = new AbortController();
  const onDrain = (): void => draining.abort(new HoldfastError('SHUTTING_DOWN'));
  if (shutdown.draining.aborted) onDrain();
  shutdown.draining.addEventListener('abort', onDrain, { once: true });
  const gone = new AbortController();
  const onClose = (): void => {
    gone.abort(new HoldfastError('CLIENT_ABORTED'));
    shutdown.draining.removeEventListener('abort', onDrain);
  };
  if (res.closed) onClose();
  else res.once('close', onClose);
  return AbortSignal.any([gone.signal, draining.signal]);
}
