import type { ServerResponse } from 'node:http';
import {
  errorCatalogue,
  PROBLEM_TYPE,
  problemOf,
  type ErrorEntry,
  type HoldfastError,
} from '@holdfast/shared/errors';

/** Answers with the problem, unless an answer is already under way: that one is cut, so that nobody takes it for whole. */
export function sendProblem(res: ServerResponse, error: HoldfastError, requestId: string): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const problem = problemOf(error, requestId);
  const body = JSON.stringify(problem);
  for (const name of ['ETag', 'Last-Modified', 'Accept-Ranges', 'Content-Disposition', 'Content-Encoding'])
    res.removeHeader(name);
  res.setHeader('Cache-Control', 'no-store');
  const entry: ErrorEntry = errorCatalogue[error.code];
  const retryAfterSeconds = error.retryAfterSeconds ?? entry.retryAfterSeconds;
  if (retryAfterSeconds !== undefined)
    res.setHeader('Retry-After', String(Math.max(1, Math.ceil(retryAfterSeconds))));
  res.writeHead(problem.status, {
    'Content-Type': PROBLEM_TYPE,
    'Content-Length': Buffer.byteLength(body),
  });
  res.end(res.req.method === 'HEAD' ? undefined : body);
}
