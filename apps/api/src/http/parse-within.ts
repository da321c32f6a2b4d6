import type { Request, RequestHandler, Response } from 'express';
import { HoldfastError } from '@holdfast/shared/errors';
import { inviteBody } from './expect-continue.js';

/**
 * Invites the body and has one of Express' parsers read it into `req.body`. Rejects with REQUEST_TIMEOUT when it has not
 * arrived in time, or with the error of the parser (foreign-error.ts knows them).
 */
export async function parseWithin(
  milliseconds: number,
  parse: RequestHandler,
  req: Request,
  res: Response,
): Promise<void> {
  inviteBody(req, res);
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new HoldfastError('REQUEST_TIMEOUT')), milliseconds);
      void parse(req, res, (error?: unknown) => {
        if (error === undefined) resolve();
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the parser's own error, converted at the edge
        else reject(error);
      });
    });
  } finally {
    clearTimeout(timer);
  }
}
