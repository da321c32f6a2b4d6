import type { RequestHandler } from 'express';
import type { Shutdown } from './shutdown.js';

/** While the process stops, kept-alive connections end with their next answer. */
export function closeWhileDraining(shutdown: Pick<Shutdown, 'draining'>): RequestHandler {
  return (_req, res, next) => {
    if (shutdown.draining.aborted) res.setHeader('Connection', 'close');
    next();
  };
}
