import type { Request, RequestHandler, Response } from 'express';
import { HoldfastError } from '@holdfast/shared/errors';
import { clientOf } from './client-address.js';
import { inviteBody } from './expect-continue.js';
import { createShares } from './shares.js';

/** Smaller bodies cost no more than their connection. */
const SMALL_BYTES = 16_384;
/** The larger ones that this process holds at once until they are whole. */
const bodies = createShares(32);

/**
 * Invites the body and has one of Express' parsers read it into `req.body`. Rejects with REQUEST_TIMEOUT when it has not
 * arrived in time, with OVERLOADED, or with the error of the parser (foreign-error.ts knows them).
 */
export async function parseWithin(
  milliseconds: number,
  parse: RequestHandler,
  req: Request,
  res: Response,
): Promise<void> {
  const isLarge = Number(req.get('content-length') ?? Infinity) > SMALL_BYTES;
  const given = new AbortController();
  const leave = isLarge ? bodies.take(clientOf(req), { giveUp: () => given.abort() }) : () => undefined;
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
