import type { Request, RequestHandler } from 'express';
import type { AccessSettings, Settings } from '@holdfast/shared/config';
import { HoldfastError } from '@holdfast/shared/errors';
import { contextOf } from './request-context.js';
import type { Route } from './route.js';

const harmless = new Set(['GET', 'HEAD', 'OPTIONS']);

export interface CrossSiteRule {
  role: Route['role'];
  /** Changes something although its method is GET. */
  changes: boolean;
}

/**
 * Browsers add a remembered Basic login to requests of any site, and where no key is configured nothing need be added. So
 * such a request that changes something must come from our own pages, or, without keys, from an origin of CORS_ORIGINS.
 * Tokens are never added by a browser itself. What is open to everyone is not decided here.
 */
export function refuseCrossSite(
  { access, http }: Pick<Settings, 'access' | 'http'>,
  rule: CrossSiteRule,
): RequestHandler {
  const ownHosts = http.publicUrl === undefined ? [] : [new URL(http.publicUrl).host];
  return (req, _res, next) => {
    const { via } = contextOf(req).client;
    if (!rule.changes && harmless.has(req.method)) return next();
    if (via === 'basic' && comesFromElsewhere(req, ownHosts)) throw new HoldfastError('CROSS_SITE');
    if (via === 'basic' && harmless.has(req.method) && !saysWhence(req))
      throw new HoldfastError(
        'CROSS_SITE',
        'a browser login may not change things by GET: use POST, or a Bearer key',
      );
    if (via !== 'anonymous' || rule.role === 'open') return next();
    if (comesFromElsewhere(req, ownHosts) && !isAllowed(req, access)) throw new HoldfastError('CROSS_SITE');
    next();
  };
}

/** Without TLS browsers send neither with a GET, such as that of an image on another site. */
function saysWhence(req: Request): boolean {
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

function isAllowed(req: Request, { corsOrigins }: AccessSettings): boolean {
  return corsOrigins.includes('*') || corsOrigins.includes(req.get('origin') ?? '');
}
