import type { Request, RequestHandler } from 'express';
import { isLoopback, type Settings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { requestHeaders, responseHeaders } from './described-headers.js';
import { contextOf } from './request-context.js';
import type { Route } from './route.js';

// What pages of other sites may do through the browser of a user of this API.

/**
 * Requires the Host header of HTTP/1.1. Where no key is needed and only this machine is served, it must name this machine or
 * PUBLIC_URL: any site can point a name of its own here (DNS rebinding), and its pages could read everything. Browsers always send Host.
 */
export function requireHost({ access, http }: Settings): RequestHandler {
  const isGuarded = access.keys.length === 0 && isLoopback(http.host);
  const publicName = http.publicUrl === undefined ? null : new URL(http.publicUrl).hostname;
  return (req, _res, next) => {
    // The header itself: a page can set the ones that TRUST_PROXY reads instead.
    const { host } = req.headers;
    if (host === undefined && req.httpVersion === '1.1')
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
 * Refuses changes by pages of other sites, on routes that are not open. Browsers add a remembered Basic login to requests of any site, and
 * without keys a request needs none. So such a request must come from our own pages or, without keys, from an origin of CORS_ORIGINS.
 * Browsers never add tokens by themselves.
 */
export function refuseCrossSite({ access, http }: Settings, { changes }: Route): RequestHandler {
  const ownHost = http.publicUrl === undefined ? null : new URL(http.publicUrl).host;
  return (req, _res, next) => {
    const { via } = contextOf(req).client;
    const isHarmless = harmless.has(req.method);
    if (via === 'token' || (isHarmless && changes !== true)) return next();
    const origin = req.get('origin');
    const isAllowed = via === 'anonymous' && isListed(access.corsOrigins, origin);
    if (comesFromElsewhere(req, ownHost) && !isAllowed) throw new HoldfastError('CROSS_SITE');
    // Without TLS browsers send neither header with a GET, such as that of an image on another site.
    if (via === 'basic' && isHarmless && origin === undefined && req.get('sec-fetch-site') === undefined)
      throw new HoldfastError(
        'CROSS_SITE',
        'a browser login may not change things by GET: use POST, or a Bearer key',
      );
    next();
  };
}

function comesFromElsewhere(req: Request, ownHost: string | null): boolean {
  const site = req.get('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const origin = req.get('origin');
  if (origin === undefined) return false;
  const host = URL.canParse(origin) ? new URL(origin).host : null;
  return host === null || (host !== req.host && host !== ownHost);
}

const isListed = (origins: readonly string[], origin: string | undefined): boolean =>
  origins.includes('*') || (origin !== undefined && origins.includes(origin));

/** Headers that the fetch standard does not allow by itself; what routes read, and what every route does. */
const OF_ROUTES = Object.keys(requestHeaders).join(', ');
const ALLOWED_HEADERS = `${OF_ROUTES}, Authorization, Content-Type, Last-Event-ID, X-API-Key, X-Request-Id`;
const EXPOSED_HEADERS = Object.keys(responseHeaders).join(', ');

/** Lets pages of the listed origins call the API (with keys of their own: no cookies, no remembered logins). */
export function cors(origins: readonly string[]): RequestHandler {
  return (req, res, next) => {
    if (origins.length === 0) return next();
    const origin = req.get('origin');
    res.vary('Origin');
    if (origin === undefined || !isListed(origins, origin)) return next();
    res.setHeader('Access-Control-Allow-Origin', origins.includes('*') ? '*' : origin);
    res.setHeader('Access-Control-Expose-Headers', EXPOSED_HEADERS);
    if (req.method !== 'OPTIONS' || req.get('access-control-request-method') === undefined) return next();
    res.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, POST, PATCH, DELETE');
    res.setHeader('Access-Control-Allow-Headers', ALLOWED_HEADERS);
    res.setHeader('Access-Control-Max-Age', '600');
    res.status(204).end();
  };
}
