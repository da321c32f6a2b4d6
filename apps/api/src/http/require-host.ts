import type { RequestHandler } from 'express';
import { HoldfastError } from '@holdfast/shared/errors';

/** HTTP/1.1 wants a Host header. Node would refuse without one too, but not with a problem. */
export function requireHost(): RequestHandler {
  return (req, _res, next) => {
    if (req.httpVersion === '1.1' && req.headers.host === undefined)
      throw new HoldfastError('INVALID_REQUEST', 'a Host header is needed');
    next();
  };
}
