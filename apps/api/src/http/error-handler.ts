import type { ErrorRequestHandler } from 'express';
import { redisRefusal } from '@holdfast/shared/redis';
import { fromForeignError } from './foreign-error.js';
import { sendProblem } from './send-problem.js';
import { contextOf } from './request-context.js';

/** The one place where errors become answers. Logged here once: what we did not foresee, and what others did to us. */
export function errorHandler(): ErrorRequestHandler {
  // Express tells an error handler by its four parameters.
  return (error: unknown, req, res, _next) => {
    const context = contextOf(req);
    const { requestId, log } = context;
    const ours = fromForeignError(error);
    context.problem = ours.code;
    if (ours.code === 'INTERNAL') log.error('http.unexpected_error', { error: ours.cause ?? ours });
    // A question of the settings, not a failure.
    else if (ours.code === 'NOT_SUPPORTED') log.debug('http.refused', { code: ours.code, error: ours });
    else if (ours.status >= 500 && (ours.status !== 503 || redisRefusal(ours) === 'unknown'))
      log.warn('http.failed', { code: ours.code, error: ours });
    else log.debug('http.refused', { code: ours.code, error: ours });
    sendProblem(res, ours, requestId);
  };
}
