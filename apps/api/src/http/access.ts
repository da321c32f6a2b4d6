import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import { roles, type Settings, type ApiKey, type Role } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Line } from '@holdfast/shared/http';
import { addressOf, anonymous, contextOf, nameOf, type Client } from './request-context.js';
import type { Route } from './route.js';

/**
 * Notes the row of a request, and lets it through when its key has the role; roles include the weaker ones.
 * `limitFailedLogins` runs before an unknown key gets its 401.
 */
export function requireAccess(
  access: Pick<Settings['access'], 'publicRead'>,
  { path, role: needed, publicRead, page }: Route,
  limitFailedLogins: RequestHandler,
): RequestHandler {
  const open = needed === 'open' || (publicRead === true && access.publicRead);
  return (req, res, next) => {
    const context = contextOf(req);
    context.route = path;
    const { client } = context;
    if (open) return next();
    if (client.role === null) {
      const refuse = (tooMany?: unknown): void => next(tooMany ?? askForKey(req, res, page));
      if (readCredentials(req.headers).length > 0) limitFailedLogins(req, res, refuse);
      else refuse();
    } else if (hasRole(client, needed)) next();
    else throw new HoldfastError('FORBIDDEN', `the role ${needed} is needed`);
  };
}

const hasRole = ({ role }: Client, needed: Role): boolean =>
  role !== null && roles.indexOf(role) >= roles.indexOf(needed);

function askForKey(req: Request, res: Response, isPage = false): HoldfastError {
  // A browser's login knows only Basic. Scripts of our own pages do not ask for HTML, so it does not get in their way.
  const isOpened = isPage || req.get('accept')?.includes('text/html') === true;
  res.setHeader(
    'WWW-Authenticate',
    isOpened ? 'Basic realm="holdfast", charset="UTF-8"' : 'Bearer realm="holdfast"',
  );
  return new HoldfastError('UNAUTHENTICATED');
}

/** Path of the one route that nothing holds back. */
export const UPLOAD_PATH = '/api/media/upload';
const probes = new Set(['/livez', '/readyz']);

/**
 * The line in which a request waits for its turn: that of its key, or of its address where it has none that we know. Probes of
 * orchestrators have a line of their own for each address, those that ask again at once do not; uploads with a key that may upload are
 * not held back.
 */
export function lineOf(access: Pick<Settings['access'], 'keys'>, req: Request, hasPaused: boolean): Line {
  const { method, url } = req;
  if (hasPaused && probes.has(url)) return { name: `probes-${addressOf(req)}`, isLimited: true };
  const client = authenticate(access, req.headers);
  const name = nameOf(client, req);
  const isUpload = method === 'POST' && url.split('?', 1)[0] === UPLOAD_PATH;
  return isUpload && hasRole(client, 'write')
    ? { name: `uploads-${name}`, isLimited: false }
    : { name, isLimited: true };
}

interface Credentials {
  secret: string;
  /** Only Basic names the key. */
  name?: string;
}

/**
 * The client that sends these headers: anonymous where they carry no known key, then with all roles where no key is configured, and with
 * none elsewhere.
 */
export function authenticate(access: Pick<Settings['access'], 'keys'>, headers: IncomingHttpHeaders): Client {
  if (access.keys.length === 0) return { ...anonymous, role: 'admin' };
  for (const credentials of readCredentials(headers)) {
    const key = findKey(access.keys, credentials);
    if (key !== undefined)
      return { name: key.name, role: key.role, via: credentials.name === undefined ? 'token' : 'basic' };
  }
  return anonymous;
}

/** Each comparison takes the same time, so that it says nothing about a secret that is not known. */
function findKey(keys: readonly ApiKey[], { secret, name }: Credentials): ApiKey | undefined {
  const hash = createHash('sha256').update(secret).digest();
  const key = keys.find(({ secretHash }) => timingSafeEqual(secretHash, hash));
  return name === undefined || name === key?.name ? key : undefined;
}

/** Both headers count: a proxy in front may use `Authorization` for a login of its own. */
function readCredentials(headers: IncomingHttpHeaders): Credentials[] {
  const [, scheme = '', value = ''] = /^(bearer|basic) +(\S.*)$/i.exec(headers.authorization ?? '') ?? [];
  const header = headers['x-api-key'];
  return [
    ...(scheme.toLowerCase() === 'basic' ? readBasic(value) : readToken(value)),
    ...(typeof header === 'string' ? readToken(header) : []),
  ];
}

/** Node reads headers as Latin-1, as browsers write them. Other programs write UTF-8. */
function readToken(value: string): Credentials[] {
  if (value === '') return [];
  const utf8 = Buffer.from(value, 'latin1').toString('utf8');
  return utf8 === value ? [{ secret: value }] : [{ secret: value }, { secret: utf8 }];
}

function readBasic(value: string): Credentials[] {
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? [] : [{ name: text.slice(0, colon), secret: text.slice(colon + 1) }];
}
