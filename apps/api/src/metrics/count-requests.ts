import type { RequestHandler } from 'express';
import { contextOf } from '../http/request-context.js';
import type { ApiMetrics } from './api-metrics.js';

const methods = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']);

/**
 * Counts and times every request. Labels come from closed lists only: the path of the route's row, never the one that was
 * asked for; the status, or `none` where the client left before its answer.
 */
export function countRequests({ requests, seconds, problems }: ApiMetrics['http']): RequestHandler {
  return (req, res, next) => {
    const start = performance.now();
    res.once('close', () => {
      const { route = 'none', problem } = contextOf(req);
      const method = methods.has(req.method) ? req.method : 'other';
      requests.inc({ method, route, status: res.headersSent ? String(res.statusCode) : 'none' });
      if (problem !== undefined) problems.inc({ route, code: problem });
      if (String(res.getHeader('content-type')).startsWith('text/event-stream')) return;
      seconds.observe({ method, route }, (performance.now() - start) / 1_000);
    });
    next();
  };
}
