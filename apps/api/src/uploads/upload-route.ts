import type { Request, Response } from 'express';
import type { Catalog } from '@holdfast/shared/catalog';
import type { MediaRecord } from '@holdfast/shared/media';
import { readPrefer } from '../http/prefer.js';
import { discardBody } from './discard-body.js';
import { receiveUpload, type UploadDependencies } from './receive-upload.js';
import { waitUntilVerified } from './wait-until-verified.js';

export interface UploadRouteDependencies extends UploadDependencies {
  catalog: Pick<Catalog, 'find'>;
  /** Name of the key that the request carries, `anonymous` without keys. */
  clientOf(req: Request): string;
  /** The answer's body for one record. */
  answerFor(record: MediaRecord): { media: { status: string }; links: { self: string } };
}

/** `POST /api/media/upload`: 202 once the media is permanent, 201 when the client waited and it is verified. */
export function uploadRoute(deps: UploadRouteDependencies) {
  return async (req: Request, res: Response): Promise<void> => {
    const { waitSeconds } = readPrefer(req.headers['prefer']);
    let record: MediaRecord;
    try {
      record = await receiveUpload(deps, req, res, deps.clientOf(req));
    } catch (error) {
      discardBody(req, res);
      throw error;
    }
    if (waitSeconds !== undefined && record.status === 'saving') {
      const gone = new AbortController();
      res.once('close', () => gone.abort());
      record = (await waitUntilVerified(deps.catalog, record, waitSeconds * 1_000, gone.signal)) ?? record;
      res.setHeader('Preference-Applied', `wait=${String(waitSeconds)}`);
    }
    const answer = deps.answerFor(record);
    res.setHeader('Location', answer.links.self);
    res.status(record.status === 'verified' ? 201 : 202).json(answer);
  };
}
