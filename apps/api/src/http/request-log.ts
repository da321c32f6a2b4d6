import type { RequestHandler } from 'express';
import { contextOf } from './request-context.js';

/** Asked every few seconds by machines: only of interest when something is looked for. */
const quiet = new Set(['/livez', '/readyz', '/metrics', '/api/media/health']);

/** One event for each request, when its answer is out or its client is gone. The query is left out: it may hold anything. */
export function requestLog(): RequestHandler {
  return (req, res, next) => {
    const start = performance.now();
    const { method, path } = req;
    res.once('close', () => {
      const { client, log, problem } = contextOf(req);
      log[quiet.has(path) ? 'debug' : 'info']('http.request', {
        method,
        path,
        // Nothing was sent to a client that left before.
        status: res.headersSent ? res.statusCode : null,
        durationMs: Math.round(performance.now() - start),
        client: client.name,
        ...(problem === undefined ? {} : { code: problem }),
        ...(res.writableFinished ? {} : { aborted: true }),
      });
    });
    next();
  };
}
