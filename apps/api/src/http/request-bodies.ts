import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type Request, type RequestHandler, type Response } from 'express';
import { HoldfastError } from '@holdfast/foundation/errors';
import { createShares } from '@holdfast/shared/http';
import { clientOf } from './request-context.js';

/** Far above the largest valid edit: 50 tags, a description and a title in any alphabet. */
const LIMIT = '256kb';
const ARRIVES_WITHIN_MS = 30_000;

const parseJson = express.json({
  limit: LIMIT,
  type: ['application/json', 'application/merge-patch+json'],
  // Otherwise bytes that cannot be decoded become U+FFFD, and are stored as if the client had written that.
  verify: (_req, _res, bytes, encoding) => {
    if (encoding === 'utf-8' && !isUtf8(bytes)) throw new Error('not in UTF-8');
  },
});

/**
 * The body as JSON, undefined without one. Rejects with UNSUPPORTED_BODY, MALFORMED_BODY, BODY_TOO_LARGE,
 * REQUEST_TIMEOUT, OVERLOADED, or an error of the parser (problems.ts knows them).
 */
export async function readJson(req: Request, res: Response): Promise<unknown> {
  const empty = req.get('content-length') === '0' || !hasBody(req);
  if (empty) return undefined;
  if (req.is(['application/json', 'application/merge-patch+json']) === false)
    throw new HoldfastError('UNSUPPORTED_BODY', 'the body must be application/json');
  await parseWithin(ARRIVES_WITHIN_MS, parseJson, req, res);
  return req.body as unknown;
}

function hasBody(req: Request): boolean {
  return req.get('content-length') !== undefined || req.get('transfer-encoding') !== undefined;
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
export async function parseWithin(
  milliseconds: number,
  parse: RequestHandler,
  req: Request,
  res: Response,
): Promise<void> {
  const given = new AbortController();
  const leave = isLarge(req) ? bodies.take(clientOf(req), { giveUp: () => given.abort() }) : () => undefined;
  if (leave === null) throw tooMany();
  inviteBody(req, res);
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      given.signal.addEventListener('abort', () => reject(tooMany()), { once: true });
      timer = setTimeout(() => reject(new HoldfastError('REQUEST_TIMEOUT')), milliseconds);
      void parse(req, res, (error?: unknown) => {
        if (error === undefined) resolve();
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the parser's own error, converted at the edge
        else reject(error);
      });
    });
  } finally {
    clearTimeout(timer);
    leave();
  }
}

const tooMany = (): HoldfastError => new HoldfastError('OVERLOADED', 'too many large bodies at once');

const waiting = new WeakSet<IncomingMessage>();

/** Notes that the client sends its body only once it is invited (`Expect: 100-continue`). */
export function awaitsInvitation(req: IncomingMessage): void {
  waiting.add(req);
}

/** Invites the body, once nothing can refuse the request unread any more. */
export function inviteBody(req: IncomingMessage, res: ServerResponse): void {
  if (waiting.delete(req)) res.writeContinue();
}

/** An unread body is discarded for this long: the client may read its answer only after it has written. */
const DISCARD_FOR_MS = 5_000;
/** Beyond so many at once the connection is cut instead. */
const MAX_DISCARDING = 256;

/**
 * Bounds how long Node discards the rest of a body that was answered before it was read. Cutting the connection at once would lose the
 * answer: a client that still writes gets a broken pipe.
 */
export function boundEarlyAnswers(): RequestHandler {
  let discarding = 0;
  return (req, res, next) => {
    res.once('finish', () => {
      if (req.complete || req.destroyed) return;
      const { socket } = req;
      if (discarding >= MAX_DISCARDING) {
        socket.destroySoon();
        return;
      }
      discarding += 1;
      const timer = setTimeout(() => socket.destroy(), DISCARD_FOR_MS);
      const done = (): void => {
        clearTimeout(timer);
        req.off('end', done);
        socket.off('close', done);
        discarding -= 1;
      };
      req.once('end', done);
      socket.once('close', done);
    });
    next();
  };
}
