import type { Request, RequestHandler } from 'express';
import { isLoopback, type AccessSettings, type Settings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { contextOf } from './request-context.js';
import type { Route } from './route.js';

// What pages of other sites may do through the browser of a user of this API.

/**
 * Requires the Host header of HTTP/1.1. Where no key is needed and only this machine is served, it must name this machine or
 * PUBLIC_URL: any site can point a name of its own here (DNS rebinding), and its pages could read everything. Browsers always send Host.
 */
export function requireHost({ access, http }: Pick<Settings, 'access' | 'http'>): RequestHandler {
  const isGuarded = access.keys.length === 0 && isLoopback(http.host);
  const publicName = http.publicUrl === undefined ? null : new URL(http.publicUrl).hostname;
  return (req, _res, next) => {
    // The header itself: a page can set the ones that TRUST_PROXY reads instead.
    const { host } = req.headers;
    if (req.httpVersion === '1.1' && host === undefined)
      throw new HoldfastError('INVALID_REQUEST', 'a Host header is needed');
    if (isGuarded && host !== undefined && !isKnownHost(host, publicName))
      throw new HoldfastError(
        'FOREIGN_HOST',
        'without API keys only names of this machine are answered, such as localhost: set PUBLIC_URL to the address that you use, or set API_KEYS',
      );
    next();
  };
}

/** The port does not matter, nor the dot that ends a full name. */
function isKnownHost(host: string, publicName: string | null): boolean {
  const url = `http://${host}`;
  if (!URL.canParse(url)) return false;
  const hostname = new URL(url).hostname.replace(/\.$/, '');
  // Names below localhost always resolve to this machine (RFC 6761).
  return (
    hostname === publicName ||
    hostname.endsWith('.localhost') ||
    isLoopback(hostname.replaceAll(/[[\]]/g, ''))
  );
}

const harmless = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses changes by pages of other sites. Browsers add a remembered Basic login to requests of any site, and without keys a request needs
 * none. So such a request must come from our own pages or, without keys, from an origin of CORS_ORIGINS. Browsers never add tokens by
 * themselves. Open routes are not guarded here.
 */
export function refuseCrossSite(
  { access, http }: Pick<Settings, 'access' | 'http'>,
  { role, changes }: Pick<Route, 'role' | 'changes'>,
): RequestHandler {
  const ownHosts = http.publicUrl === undefined ? [] : [new URL(http.publicUrl).host];
  return (req, _res, next) => {
    const { via } = contextOf(req).client;
    if (changes !== true && harmless.has(req.method)) return next();
    if (via === 'basic' && comesFromElsewhere(req, ownHosts)) throw new HoldfastError('CROSS_SITE');
    if (via === 'basic' && harmless.has(req.method) && !namesOrigin(req))
      throw new HoldfastError(
        'CROSS_SITE',
        'a browser login may not change things by GET: use POST, or a Bearer key',
      );
    if (via !== 'anonymous' || role === 'open') return next();
    if (comesFromElsewhere(req, ownHosts) && !isAllowedOrigin(req, access))
      throw new HoldfastError('CROSS_SITE');
    next();
  };
}

/** Without TLS browsers send neither header with a GET, such as that of an image on another site. */
function namesOrigin(req: Request): boolean {
  return req.get('origin') !== undefined || req.get('sec-fetch-site') !== undefined;
}

function comesFromElsewhere(req: Request, ownHosts: readonly string[]): boolean {
  const site = req.get('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const origin = req.get('origin');
  if (origin === undefined) return false;
  if (!URL.canParse(origin)) return true;
  const { host } = new URL(origin);
  return host !== req.host && !ownHosts.includes(host);
}

function isAllowedOrigin(req: Request, { corsOrigins }: AccessSettings): boolean {
  return corsOrigins.includes('*') || corsOrigins.includes(req.get('origin') ?? '');
}

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
