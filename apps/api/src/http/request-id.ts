import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { Logger } from '@holdfast/shared/logging';
import { anonymous, setContext } from './request-context.js';

const SANE = /^[A-Za-z0-9._-]{1,128}$/;

/** The client's own id where it can be written into a log as it is, else a fresh one. */
export function requestIdFrom(header: string | undefined): string {
  return header !== undefined && SANE.test(header) ? header : randomUUID();
}

/** Runs first: gives each request its id and its context. */
export function requestId(log: Logger): RequestHandler {
  return (req, res, next) => {
    const id = requestIdFrom(req.get('x-request-id'));
    res.setHeader('X-Request-Id', id);
    setContext(req, { requestId: id, client: anonymous, log: log.child({ requestId: id }) });
    next();
  };
}
