import type { ErrorRequestHandler } from 'express';
import {
  errorCatalogue,
  HoldfastError,
  isHoldfastError,
  PROBLEM_TYPE,
  problemOf,
  toHoldfastError,
  type ErrorCode,
  type ErrorEntry,
} from '@holdfast/foundation/errors';
import { redisRefusal } from '@holdfast/shared/redis';
import { contextOf } from './request-context.js';

/** The one place where errors become answers. Logs once what we did not foresee and what host or Redis did to us. */
// Express recognises an error handler by its four parameters.
export const errorHandler: ErrorRequestHandler = (thrown: unknown, req, res, _next) => {
  const context = contextOf(req);
  const { requestId, log } = context;
  const error = asHoldfastError(thrown);
  const { code, status } = error;
  context.problem = code;
  // NOT_SUPPORTED is a question of the settings, not a failure.
  const isFailure = status >= 500 && code !== 'NOT_SUPPORTED';
  if (code === 'INTERNAL') log.error('http.unexpected_error', { error: error.cause ?? error });
  else if (isFailure && (status !== 503 || redisRefusal(error) === 'unknown'))
    log.warn('http.failed', { code, error });
  else log.debug('http.refused', { code, error });
  // An answer that is already under way is cut, so that nobody mistakes it for a whole one.
  if (res.headersSent) {
    res.destroy();
    return;
  }
  for (const name of ['ETag', 'Last-Modified', 'Accept-Ranges', 'Content-Disposition', 'Content-Encoding'])
    res.removeHeader(name);
  res.setHeader('Cache-Control', 'no-store');
  const entry: ErrorEntry = errorCatalogue[code];
  const retryAfterSeconds = error.retryAfterSeconds ?? entry.retryAfterSeconds;
  if (retryAfterSeconds !== undefined)
    res.setHeader('Retry-After', String(Math.max(1, Math.ceil(retryAfterSeconds))));
  res.setHeader('Content-Type', PROBLEM_TYPE);
  // As bytes, since Express adds a charset to text.
  res.status(status).send(Buffer.from(JSON.stringify(problemOf(error, requestId))));
};

/** Errors of Express and its body parsers by their status; each says itself what is wrong. */
const foreignErrors: Readonly<Record<number, ErrorCode>> = {
  400: 'MALFORMED_BODY',
  404: 'NOT_FOUND',
  413: 'BODY_TOO_LARGE',
  415: 'UNSUPPORTED_BODY',
};

/**
 * The error as clients get it. Those of Express and its parsers become 4xx. A host that asks to wait, or whose files are damaged, counts
 * as one that refused. All others become INTERNAL.
 */
function asHoldfastError(error: unknown): HoldfastError {
  if (isHoldfastError(error, 'HOST_RATE_LIMITED', 'ASSET_UNREADABLE')) {
    const { message, retryAfterSeconds } = error;
    return new HoldfastError('HOST_REJECTED', message, { cause: error, retryAfterSeconds });
  }
  if (isHoldfastError(error) || !(error instanceof Error)) return toHoldfastError(error);
  if (error instanceof URIError)
    return new HoldfastError('INVALID_REQUEST', 'the path is not a valid URI', { cause: error });
  const { type, status = 0, expose } = error as Error & { type?: string; status?: number; expose?: boolean };
  if (type === 'request.aborted')
    return new HoldfastError('CLIENT_ABORTED', 'the body ended before it was complete', { cause: error });
  // Express does not expose that a file which it sends is gone.
  const code = expose === true || status === 404 ? foreignErrors[status] : undefined;
  if (code === undefined) return toHoldfastError(error);
  return new HoldfastError(code, code === 'NOT_FOUND' ? undefined : error.message, { cause: error });
}
