import type { RequestHandler } from 'express';
import { requestIdFrom, type Logger } from '@holdfast/shared/logging';
import { anonymous, setContext } from './request-context.js';

/** Runs first: gives each request its id and its context. */
export function requestId(log: Logger): RequestHandler {
  return (req, res, next) => {
    const id = requestIdFrom(req.get('x-request-id'));
    res.setHeader('X-Request-Id', id);
    setContext(req, { requestId: id, client: anonymous, log: log.child({ requestId: id }) });
    next();
  };
}
