import type { RequestHandler } from 'express';

const ALLOWED_HEADERS =
  'Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, If-Range, Last-Event-ID, Prefer, Range, Repr-Digest, X-API-Key, X-Request-Id';
const EXPOSED_HEADERS =
  'Accept-Ranges, Content-Range, ETag, Idempotent-Replayed, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Report-Cut, X-Request-Id, X-Run-Id';
const METHODS = 'GET, HEAD, POST, PATCH, DELETE';

/** Lets pages of the listed origins call the API (with keys of their own: no cookies, no remembered logins). */
export function cors(origins: readonly string[]): RequestHandler {
  const any = origins.includes('*');
  return (req, res, next) => {
    if (origins.length === 0) return next();
    if (!any) res.vary('Origin');
    const origin = req.get('origin');
    if (origin === undefined || !(any || origins.includes(origin))) return next();
    res.setHeader('Access-Control-Allow-Origin', any ? '*' : origin);
    res.setHeader('Access-Control-Expose-Headers', EXPOSED_HEADERS);
    if (req.method !== 'OPTIONS' || req.get('access-control-request-method') === undefined) return next();
    res.setHeader('Access-Control-Allow-Methods', METHODS);
    res.setHeader('Access-Control-Allow-Headers', ALLOWED_HEADERS);
    res.setHeader('Access-Control-Max-Age', '600');
    res.status(204).end();
  };
}
