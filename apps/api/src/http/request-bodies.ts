import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import { promisify } from 'node:util';
import express, { type Request, type RequestHandler, type Response } from 'express';
import { HoldfastError } from '@holdfast/foundation/errors';
import { untilAborted } from '@holdfast/foundation/lifecycle';
import { createShares } from '@holdfast/shared/http';
import { clientOf } from './request-context.js';

/** Far above the largest valid edit: 50 tags, a description and a title in any alphabet. */
const LIMIT = '256kb';
const TYPES = ['application/json', 'application/merge-patch+json'];
const ARRIVES_WITHIN_MS = 30_000;

const parseJson = express.json({
  limit: LIMIT,
  type: TYPES,
  // Otherwise bytes that cannot be decoded become U+FFFD, and are stored as if the client had written that.
  verify: (_req, _res, bytes, encoding) => {
    if (encoding === 'utf-8' && !isUtf8(bytes))
      throw Object.assign(new Error('the body is not in UTF-8'), { status: 400 });
  },
});

/**
 * The body as JSON, undefined without one. Rejects with UNSUPPORTED_BODY, MALFORMED_BODY, BODY_TOO_LARGE,
 * REQUEST_TIMEOUT, OVERLOADED, or an error of the parser (problems.ts knows them).
 */
export async function readJson(req: Request, res: Response): Promise<unknown> {
  const length = req.get('content-length');
  if (length === '0' || (length ?? req.get('transfer-encoding')) === undefined) return undefined;
  if (req.is(TYPES) === false)
    throw new HoldfastError('UNSUPPORTED_BODY', 'the body must be application/json');
  await parseWithin(ARRIVES_WITHIN_MS, parseJson, req, res);
  return req.body as unknown;
}

/** Smaller bodies cost no more than their connection. */
const SMALL_BYTES = 16_384;
const isLarge = (req: Request): boolean => Number(req.get('content-length') ?? Infinity) > SMALL_BYTES;
/** The larger ones that this process holds at once until they are whole. */
const bodies = createShares(32);

/**
 * Invites the body and has one of Express' parsers read it into `req.body`. Rejects with REQUEST_TIMEOUT when it has not
 * arrived in time, with OVERLOADED, or with the error of the parser (problems.ts knows them).
 */
export async function parseWithin(withinMs: number, parse: RequestHandler, req: Request, res: Response) {
  const ended = new AbortController();
  const giveUp = (): void => ended.abort(tooMany());
  const leave = isLarge(req) ? bodies.take(clientOf(req), { giveUp }) : () => undefined;
  if (leave === null) throw tooMany();
  inviteBody(req, res);
  const late = setTimeout(() => ended.abort(new HoldfastError('REQUEST_TIMEOUT')), withinMs);
  try {
    await untilAborted(promisify(parse)(req, res), ended.signal);
  } finally {
    clearTimeout(late);
    leave();
  }
}

const tooMany = (): HoldfastError => new HoldfastError('OVERLOADED', 'too many large bodies at once');

/** Invites the body of a client that waits for it, once nothing can refuse the request unread any more. */
export function inviteBody(req: IncomingMessage, res: ServerResponse): void {
  if (req.httpVersion === '1.1' && /\b100-continue\b/i.test(req.headers.expect ?? '')) res.writeContinue();
}

/** A client may read its answer only after it has written: cutting the connection at once would lose the answer. */
const DISCARD_FOR_MS = 5_000;

/** Bounds how long Node reads and discards the rest of a body that was answered before it was read. */
export function boundUnreadBodies(): RequestHandler {
  return (req, res, next) => {
    res.once('finish', () => {
      if (req.complete) return;
      const timer = setTimeout(() => req.socket.destroy(), DISCARD_FOR_MS);
      finished(req, () => clearTimeout(timer));
    });
    next();
  };
}
