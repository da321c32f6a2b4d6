import type { RequestHandler } from 'express';
import { isLoopback, type Settings } from '@holdfast/shared/config';
import { HoldfastError } from '@holdfast/shared/errors';

/**
 * HTTP/1.1 wants a Host header. Node would refuse without one too, but not with a problem. Where no key is needed and only
 * this machine is served, it must be a name of this machine, or that of PUBLIC_URL: any site can point a name of its own
 * here (DNS rebinding), and its pages would read everything. Browsers always send Host; who sends none is no browser.
 */
export function requireHost({ access, http }: Pick<Settings, 'access' | 'http'>): RequestHandler {
  const isGuarded = access.keys.length === 0 && isLoopback(http.host);
  const publicName = http.publicUrl === undefined ? null : new URL(http.publicUrl).hostname;
  return (req, _res, next) => {
    // The header itself: what TRUST_PROXY lets speak for it a page may set, too.
    const { host } = req.headers;
    if (req.httpVersion === '1.1' && host === undefined)
      throw new HoldfastError('INVALID_REQUEST', 'a Host header is needed');
    if (isGuarded && host !== undefined && !isKnown(host, publicName))
      throw new HoldfastError(
        'FOREIGN_HOST',
        'without API keys only names of this machine are answered, such as localhost: set PUBLIC_URL to the address that you use, or set API_KEYS',
      );
    next();
  };
}

/** Whatever the port, and the dot that ends a whole name. */
function isKnown(host: string, publicName: string | null): boolean {
  const url = `http://${host}`;
  if (!URL.canParse(url)) return false;
  const hostname = new URL(url).hostname.replace(/\.$/, '');
  // No resolver asks others for names below localhost (RFC 6761).
  return (
    hostname === publicName ||
    hostname.endsWith('.localhost') ||
    isLoopback(hostname.replaceAll(/[[\]]/g, ''))
  );
}
