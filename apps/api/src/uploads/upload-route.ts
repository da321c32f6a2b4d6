import type { Request, Response } from 'express';
import { z } from 'zod';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { MediaRecord } from '@holdfast/shared/media';
import type { Dependencies } from '../dependencies.js';
import { preferenceApplied, readWait, waitInPlace } from '../http/prefer.js';
import { clientOf, contextOf, goneWith } from '../http/request-context.js';
import { parseInput } from '../http/request-input.js';
import type { Answer, Input } from '../http/route.js';
import { acceptedMedia } from '../media/present-media.js';
import { keyedUpload } from './idempotency.js';
import { receiveUpload, type Received } from './receive-upload.js';
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
    if (replayed === true) res.setHeader('Idempotent-Replayed', 'true');
    if (duplicate === true) {
      const existing = acceptedMedia(record, deps.address);
      res.location(existing.links.self).json({ ...existing, duplicate: true });
      return;
    }
    const asked = { client: clientOf(req), gone: goneWith(res) };
    const { status, body, headers } = await answerUpload(deps, asked, record, readWait(req.get('prefer')));
    res.set(headers).status(status).json(body);
  };
}

async function upload(uploads: Uploads, req: Request, res: Response): Promise<Received> {
  const { duplicates } = parseInput(uploadQuery, req.query, 'the query is not valid');
  const key = readKey(req.get('idempotency-key'));
  const request = { uploadedBy: contextOf(req).client.name, duplicates };
  return key === null
    ? receiveUpload(uploads, req, res, { ...request, claim: null, unfinished: [] })
    : keyedUpload(uploads, req, res, { ...request, key });
}

/** Null without the header. */
function readKey(header: string | undefined): string | null {
  if (header === undefined) return null;
  if (/^[\x20-\x7e]{1,255}$/.test(header)) return header;
  throw new HoldfastError('INVALID_REQUEST', 'the Idempotency-Key is not valid', {
    errors: [{ path: 'Idempotency-Key', message: 'must have 1 to 255 printable ASCII characters' }],
  });
}

export type AnswerDependencies = Pick<Dependencies, 'waits' | 'statusFollowers' | 'shutdown' | 'address'>;

/**
 * The answer to an accepted upload, however its bytes came: 202, or 201 where the client waited and the record is verified. A replayed
 * answer has the status of the first one, however long ago the file was verified.
 */
export async function answerUpload(
  deps: AnswerDependencies,
  { client, gone }: Pick<Input, 'client' | 'gone'>,
  accepted: MediaRecord,
  waitSeconds: number | undefined,
): Promise<Answer> {
  const waited =
    waitSeconds === undefined
      ? null
      : await waitInPlace(deps.waits, client, gone, (ended) =>
          untilVerified(deps, accepted, waitSeconds, ended),
        );
  const record = waited ?? accepted;
  const body = acceptedMedia(record, deps.address);
  return {
    status: waitSeconds !== undefined && record.status === 'verified' ? 201 : 202,
    body,
    headers: {
      Location: body.links.self,
      ...(waitSeconds === undefined || waited === null ? {} : preferenceApplied(waitSeconds)),
    },
  };
}

/**
 * An accepted record once it is verified at this revision or a later one, or as it was last read when the time is up or the
 * client is gone. Ends early when the process is to end: the file is accepted, and the answer must get out.
 */
async function untilVerified(
  { statusFollowers, shutdown }: AnswerDependencies,
  accepted: MediaRecord,
  waitSeconds: number,
  gone: AbortSignal,
): Promise<MediaRecord> {
  const signal = AbortSignal.any([gone, shutdown.draining, AbortSignal.timeout(waitSeconds * 1_000)]);
  if (accepted.status !== 'saving' || signal.aborted) return accepted;
  let latest = accepted;
  let stop = (): void => undefined;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    stop = statusFollowers.follow(accepted, (state) => {
      if (state.kind === 'record') latest = state.record;
      const isSettled = latest.revision >= accepted.revision && latest.status !== 'saving';
      if (state.kind !== 'record' || isSettled) resolve();
    });
  });
  stop();
  return latest;
}
