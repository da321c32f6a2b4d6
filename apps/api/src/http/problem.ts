import type { ServerResponse } from 'node:http';
import {
  errorCatalogue,
  type ErrorEntry,
  type FieldProblem,
  type HoldfastError,
} from '@holdfast/shared/errors';

export const PROBLEM_TYPE = 'application/problem+json';

/** The body of every error answer (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId: string;
  errors?: readonly FieldProblem[];
}

/** Says nothing of causes: they are for the log. */
export function problemOf(error: HoldfastError, requestId: string): Problem {
  const { status, title } = errorCatalogue[error.code];
  return {
    type: `urn:holdfast:problem:${error.code}`,
    title,
    status,
    detail: error.code === 'INTERNAL' ? title : error.message,
    code: error.code,
    requestId,
    ...(error.errors === undefined ? {} : { errors: error.errors }),
  };
}

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
