import type { Request, Response } from 'express';
import { z } from 'zod';
import { HoldfastError } from '@holdfast/foundation/errors';
import { clientOf, contextOf, goneWith } from '../http/request-context.js';
import { parseInput } from '../http/request-input.js';
import { readWait } from '../http/prefer.js';
import { acceptedMedia } from '../media/present-media.js';
import { answerUpload, type AnswerDependencies } from './answer-upload.js';
import { keyedUpload, type KeyedOutcome } from './idempotency.js';
import { receiveUpload } from './receive-upload.js';
import type { Uploads } from './uploads.js';

export const uploadQuery = z.object({
  duplicates: z
    .enum(['keep', 'return'], 'must be keep or return')
    .default('keep')
    .describe('`return`: if this client has uploaded these bytes before, the answer is the existing record.'),
});

/**
 * `POST /api/media/upload`: 202 once the file is permanent, 201 when the client waited and it is verified, 200 when these
 * bytes were there and the client wants no duplicates.
 */
export function uploadRoute(uploads: Uploads, deps: AnswerDependencies) {
  return async (req: Request, res: Response): Promise<void> => {
    const { record, duplicate, replayed } = await upload(uploads, req, res).catch((error: unknown) => {
      // The form's parser no longer reads; what is still to come is thrown away, within the bounds of early answers.
      req.unpipe();
      req.resume();
      throw error;
    });
    if (replayed) res.setHeader('Idempotent-Replayed', 'true');
    if (duplicate) {
      const existing = acceptedMedia(record, deps.address);
      res.setHeader('Location', existing.links.self);
      res.status(200).json({ ...existing, duplicate: true });
      return;
    }
    const waitSeconds = readWait(req.get('prefer'));
    const asked = { client: clientOf(req), gone: goneWith(res) };
    const { status, body, headers } = await answerUpload(deps, asked, record, waitSeconds);
    res.set(headers).status(status).json(body);
  };
}

async function upload(uploads: Uploads, req: Request, res: Response): Promise<KeyedOutcome> {
  const { duplicates } = parseInput(uploadQuery, req.query, 'the query is not valid');
  const key = readKey(req.get('idempotency-key'));
  const request = { uploadedBy: contextOf(req).client.name, duplicates };
  if (key !== null) return keyedUpload(uploads, req, res, { ...request, key });
  const received = await receiveUpload(uploads, req, res, { ...request, claim: null, unfinished: [] });
  return { ...received, replayed: false };
}

/** Null without the header. */
function readKey(header: string | undefined): string | null {
  if (header === undefined) return null;
  if (/^[\x20-\x7e]{1,255}$/.test(header)) return header;
  throw new HoldfastError('INVALID_REQUEST', 'the Idempotency-Key is not valid', {
    errors: [{ path: 'Idempotency-Key', message: 'must have 1 to 255 printable ASCII characters' }],
  });
}
