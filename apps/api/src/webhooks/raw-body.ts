import express, { type Request, type Response } from 'express';
import { HoldfastError } from '@holdfast/shared/errors';
import { inviteBody } from '../http/expect-continue.js';

const LIMIT_BYTES = 1_000_000;
const ARRIVES_WITHIN_MS = 15_000;

const parse = express.raw({ limit: LIMIT_BYTES, type: () => true });

/** The very bytes of the body: a signature covers them. Rejects with REQUEST_TIMEOUT, or as the parser does (foreign-error.ts). */
export async function readRawBody(req: Request, res: Response): Promise<Buffer> {
  inviteBody(req, res);
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new HoldfastError('REQUEST_TIMEOUT')), ARRIVES_WITHIN_MS);
      parse(req, res, (error?: unknown) => {
        if (error === undefined) resolve();
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the parser's own error, converted at the edge
        else reject(error);
      });
    });
  } finally {
    clearTimeout(timer);
  }
  const body = req.body as unknown;
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}
