import type { Request, Response } from 'express';
import type { Catalog } from '@holdfast/shared/catalog';
import type { MediaRecord } from '@holdfast/shared/media';
import { preferenceApplied, readPrefer } from '../http/prefer.js';
import { contextOf } from '../http/request-context.js';
import { receiveUpload, type UploadDependencies } from './receive-upload.js';
import { waitUntilVerified } from './wait-until-verified.js';

export interface UploadRouteDependencies extends UploadDependencies {
  catalog: Pick<Catalog, 'find'>;
  /** The answer's body for one record. */
  answerFor(record: MediaRecord): { media: { status: string }; links: { self: string } };
}

/** `POST /api/media/upload`: 202 once the media is permanent, 201 when the client waited and it is verified. */
export function uploadRoute(deps: UploadRouteDependencies) {
  return async (req: Request, res: Response): Promise<void> => {
    const { waitSeconds } = readPrefer(req.get('prefer'));
    let record: MediaRecord;
    try {
      record = await receiveUpload(deps, req, res, contextOf(req).client.name);
    } catch (error) {
      // The form's parser no longer reads; what is still to come is thrown away, within the bounds of early answers.
      req.unpipe();
      req.resume();
      throw error;
    }
    if (waitSeconds !== undefined && record.status === 'saving') {
      const gone = new AbortController();
      res.once('close', () => gone.abort());
      record = (await waitUntilVerified(deps.catalog, record, waitSeconds * 1_000, gone.signal)) ?? record;
      res.set(preferenceApplied(waitSeconds));
    }
    const answer = deps.answerFor(record);
    res.setHeader('Location', answer.links.self);
    res.status(record.status === 'verified' ? 201 : 202).json(answer);
  };
}
