import type { Request, Response } from 'express';
import type { MediaRecord } from '@holdfast/shared/media';
import { goneWith } from '../http/gone-with.js';
import { isAwaited, preferenceApplied } from '../http/prefer.js';
import { contextOf } from '../http/request-context.js';
import { keyedUpload, type KeyedDependencies, type KeyedOutcome } from './keyed-upload.js';
import { receiveUpload } from './receive-upload.js';
import { readWishes, type UploadWishes } from './upload-wishes.js';
import { waitUntilVerified } from './wait-until-verified.js';

export interface UploadRouteDependencies extends KeyedDependencies {
  /** The answer's body for one record. */
  answerFor(record: MediaRecord): { media: { status: string }; links: { self: string } };
}

/**
 * `POST /api/media/upload`: 202 once the media is permanent, 201 when the client waited and it is verified, 200 when these
 * bytes were there and the client wants no duplicates.
 */
export function uploadRoute(deps: UploadRouteDependencies) {
  return async (req: Request, res: Response): Promise<void> => {
    let wishes: UploadWishes;
    let outcome: KeyedOutcome;
    try {
      wishes = readWishes(req);
      outcome = await upload(deps, req, res, wishes);
    } catch (error) {
      // The form's parser no longer reads; what is still to come is thrown away, within the bounds of early answers.
      req.unpipe();
      req.resume();
      throw error;
    }
    const { waitSeconds } = wishes;
    let { record } = outcome;
    if (outcome.replayed) res.setHeader('Idempotent-Replayed', 'true');
    if (outcome.duplicate) {
      const answer = deps.answerFor(record);
      res.setHeader('Location', answer.links.self);
      res.status(200).json({ ...answer, duplicate: true });
      return;
    }
    if (waitSeconds !== undefined) {
      record = await waitUntilVerified(deps, record, waitSeconds, goneWith(res));
      res.set(preferenceApplied(waitSeconds));
    }
    const answer = deps.answerFor(record);
    res.setHeader('Location', answer.links.self);
    // A replayed answer has the status of the first one, however long ago the media was verified.
    res.status(waitSeconds !== undefined && record.status === 'verified' ? 201 : 202).json(answer);
  };
}

async function upload(
  deps: UploadRouteDependencies,
  req: Request,
  res: Response,
  wishes: UploadWishes,
): Promise<KeyedOutcome> {
  const { duplicates, idempotencyKey: key } = wishes;
  const request = { uploadedBy: contextOf(req).client.name, duplicates, awaited: isAwaited(wishes) };
  if (key !== null) return keyedUpload(deps, req, res, { ...request, key });
  const received = await receiveUpload(deps, req, res, { ...request, claim: null, unfinished: [] });
  return { ...received, replayed: false };
}
