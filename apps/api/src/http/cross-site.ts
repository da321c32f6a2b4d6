import type { RequestHandler } from 'express';
import { HoldfastError } from '@holdfast/shared/errors';
import { contextOf } from './request-context.js';

const harmless = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Browsers add a remembered Basic login to requests of any site. So a Basic request that changes something must come
 * from our own pages; other credentials are never added by a browser itself.
 */
export function refuseCrossSite(publicUrl: string | undefined, changesAlways: boolean): RequestHandler {
  const ownHosts = publicUrl === undefined ? [] : [new URL(publicUrl).host];
  return (req, _res, next) => {
    const changes = changesAlways || !harmless.has(req.method);
    if (changes && contextOf(req).client.via === 'basic' && comesFromElsewhere(req, ownHosts))
      throw new HoldfastError('CROSS_SITE');
    next();
  };
}

function comesFromElsewhere(
  req: { get(name: string): string | undefined; host: string | undefined },
  ownHosts: readonly string[],
): boolean {
  const site = req.get('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const origin = req.get('origin');
  if (origin === undefined) return false;
  if (!URL.canParse(origin)) return true;
  const { host } = new URL(origin);
  return host !== req.host && !ownHosts.includes(host);
}
