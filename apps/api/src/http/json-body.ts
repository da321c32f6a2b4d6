import { isUtf8 } from 'node:buffer';
import express, { type Request, type Response } from 'express';
import { HoldfastError } from '@holdfast/shared/errors';
import { parseWithin } from './parse-within.js';

/** Far above the largest valid edit: 50 tags, a description and a title in any alphabet. */
const LIMIT = '256kb';
const ARRIVES_WITHIN_MS = 30_000;

const parse = express.json({
  limit: LIMIT,
  type: ['application/json', 'application/merge-patch+json'],
  // Else what cannot be decoded becomes U+FFFD, and is stored as if the client had written that.
  verify: (_req, _res, bytes, encoding) => {
    if (encoding === 'utf-8' && !isUtf8(bytes)) throw new Error('not in UTF-8');
  },
});

/**
 * The body as JSON, undefined without one. Rejects with UNSUPPORTED_BODY, MALFORMED_BODY, BODY_TOO_LARGE,
 * REQUEST_TIMEOUT, or an error of the parser (foreign-error.ts knows them).
 */
export async function readJson(req: Request, res: Response): Promise<unknown> {
  const empty = req.get('content-length') === '0' || !hasBody(req);
  if (empty) return undefined;
  if (req.is(['application/json', 'application/merge-patch+json']) === false)
    throw new HoldfastError('UNSUPPORTED_BODY', 'the body must be application/json');
  await parseWithin(ARRIVES_WITHIN_MS, parse, req, res);
  return req.body as unknown;
}

function hasBody(req: Request): boolean {
  return req.get('content-length') !== undefined || req.get('transfer-encoding') !== undefined;
}
