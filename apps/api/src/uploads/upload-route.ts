import type { Request, Response } from 'express';
import { z } from 'zod';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { MediaRecord } from '@holdfast/shared/media';
import { parseInput } from '../http/request-input.js';
import { clientOf, goneWith, contextOf } from '../http/request-context.js';
import { preferenceApplied, readPrefer, waitInPlace, type Preferences } from '../http/prefer.js';
import type { Shares } from '@holdfast/shared/http';
import { keyedUpload, type KeyedOutcome } from './idempotency.js';
import { receiveUpload, type UploadRequest } from './receive-upload.js';
import type { Uploads } from './uploads.js';
import type { StatusFollowers } from '../media/status-followers.js';
import { waitUntilVerified } from './wait-until-verified.js';

export const uploadQuery = z.object({
  duplicates: z
    .enum(['keep', 'return'], 'must be keep or return')
    .default('keep')
    .describe('`return`: if this client has uploaded these bytes before, the answer is the existing record.'),
});

export interface UploadRouteDependencies extends Uploads {
  /** Requests that wait for their verified record. */
  waits: Shares;
  statusFollowers: StatusFollowers;
  /** The answer's body for one record. */
  answerFor(record: MediaRecord): { media: { status: string }; links: { self: string } };
}

/**
 * `POST /api/media/upload`: 202 once the file is permanent, 201 when the client waited and it is verified, 200 when these
 * bytes were there and the client wants no duplicates.
 */
export function uploadRoute(deps: UploadRouteDependencies) {
  return async (req: Request, res: Response): Promise<void> => {
    let options: UploadOptions;
    let outcome: KeyedOutcome;
    try {
      options = readOptions(req);
      outcome = await upload(deps, req, res, options);
    } catch (error) {
      // The form's parser no longer reads; what is still to come is thrown away, within the bounds of early answers.
      req.unpipe();
      req.resume();
      throw error;
    }
    const { waitSeconds } = options;
    let { record } = outcome;
    if (outcome.replayed) res.setHeader('Idempotent-Replayed', 'true');
    if (outcome.duplicate) {
      const answer = deps.answerFor(record);
      res.setHeader('Location', answer.links.self);
      res.status(200).json({ ...answer, duplicate: true });
      return;
    }
    if (waitSeconds !== undefined) {
      const waited = await waitInPlace(deps.waits, clientOf(req), goneWith(res), (ended) =>
        waitUntilVerified(deps, outcome.record, waitSeconds, ended),
      );
      if (waited !== null) res.set(preferenceApplied(waitSeconds));
      record = waited ?? record;
    }
    const answer = deps.answerFor(record);
    res.setHeader('Location', answer.links.self);
    // A replayed answer has the status of the first one, however long ago the file was verified.
    res.status(waitSeconds !== undefined && record.status === 'verified' ? 201 : 202).json(answer);
  };
}

async function upload(
  deps: UploadRouteDependencies,
  req: Request,
  res: Response,
  options: UploadOptions,
): Promise<KeyedOutcome> {
  const { duplicates, idempotencyKey: key } = options;
  const request = { uploadedBy: contextOf(req).client.name, duplicates };
  if (key !== null) return keyedUpload(deps, req, res, { ...request, key });
  const received = await receiveUpload(deps, req, res, { ...request, claim: null, unfinished: [] });
  return { ...received, replayed: false };
}

/** What a client asks for besides the upload itself. */
interface UploadOptions extends Preferences, Pick<UploadRequest, 'duplicates'> {
  /** Null without the header. */
  idempotencyKey: string | null;
}

/** Throws INVALID_REQUEST. */
function readOptions(req: Request): UploadOptions {
  return {
    ...readPrefer(req.get('prefer')),
    ...parseInput(uploadQuery, req.query, 'the query is not valid'),
    idempotencyKey: readKey(req.get('idempotency-key')),
  };
}

function readKey(header: string | undefined): string | null {
  if (header === undefined) return null;
  if (/^[\x20-\x7e]{1,255}$/.test(header)) return header;
  throw new HoldfastError('INVALID_REQUEST', 'the Idempotency-Key is not valid', {
    errors: [{ path: 'Idempotency-Key', message: 'must have 1 to 255 printable ASCII characters' }],
  });
}
