import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import { roles, type AccessSettings, type ApiKey, type Role } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { anonymous, contextOf, type Client } from './request-context.js';

export interface AccessRule {
  /** `open`: for everyone, keys are not looked at. */
  role: Role | 'open';
  /** Open to everyone where PUBLIC_READ is on. */
  publicRead: boolean;
  /** What a 401 asks programs for. A page that is opened gets the browser's login, which knows only Basic. */
  challenge: 'Basic' | 'Bearer';
  /** Runs before an unknown key gets its 401. */
  limitFailedLogins: RequestHandler;
}

/** Lets a request through when its key has the role; roles include the weaker ones. */
export function requireAccess(access: AccessSettings, rule: AccessRule): RequestHandler {
  const { role: needed } = rule;
  const open = needed === 'open' || (rule.publicRead && access.publicRead);
  return (req, res, next) => {
    const client = authenticate(access, req.headers);
    if (client !== null) contextOf(req).client = client;
    if (open) return next();
    if (client === null) {
      const refuse = (tooMany?: unknown): void => next(tooMany ?? askForKey(req, res, rule));
      if (carriesKey(req.headers)) rule.limitFailedLogins(req, res, refuse);
      else refuse();
      return;
    }
    if (client.role === null || roles.indexOf(client.role) < roles.indexOf(needed))
      throw new HoldfastError('FORBIDDEN', `the role ${needed} is needed`);
    next();
  };
}

function askForKey(req: Request, res: Response, rule: AccessRule): HoldfastError {
  const challenge = isOpenedAsPage(req) ? 'Basic' : rule.challenge;
  res.setHeader(
    'WWW-Authenticate',
    `${challenge} realm="holdfast"${challenge === 'Basic' ? ', charset="UTF-8"' : ''}`,
  );
  return new HoldfastError('UNAUTHENTICATED');
}

/** Scripts of our own pages do not ask for HTML, so the browser's login does not get in their way. */
function isOpenedAsPage(req: Request): boolean {
  return req.get('accept')?.includes('text/html') ?? false;
}

interface Credentials {
  secret: string;
  /** Only Basic names the key. */
  name?: string;
}

/**
 * The client that sends these headers. Null where keys are configured and the headers carry no known one. Without configured keys
 * everyone is anonymous with all roles.
 */
export function authenticate(
  access: Pick<AccessSettings, 'keys'>,
  headers: IncomingHttpHeaders,
): Client | null {
  if (access.keys.length === 0) return { ...anonymous, role: 'admin' };
  for (const credentials of readCredentials(headers)) {
    const key = findKey(access.keys, credentials);
    if (key !== undefined)
      return { name: key.name, role: key.role, via: credentials.name === undefined ? 'token' : 'basic' };
  }
  return null;
}

/** Whether the headers carry a key, known or not. */
export function carriesKey(headers: IncomingHttpHeaders): boolean {
  return readCredentials(headers).length > 0;
}

/** Compares with every key, each in constant time, so that the time says nothing about the secrets. */
function findKey(keys: readonly ApiKey[], { secret, name }: Credentials): ApiKey | undefined {
  const hash = createHash('sha256').update(secret).digest();
  let found: ApiKey | undefined;
  for (const key of keys) {
    const same = timingSafeEqual(key.secretHash, hash);
    if (same && (name === undefined || name === key.name)) found = key;
  }
  return found;
}

/** Both headers count: a proxy in front may use `Authorization` for a login of its own. */
function readCredentials(headers: IncomingHttpHeaders): Credentials[] {
  const [, scheme = '', value = ''] = /^([A-Za-z]+) +(\S.*)$/.exec(headers.authorization ?? '') ?? [];
  const header = headers['x-api-key'];
  const found = [
    ...(scheme.toLowerCase() === 'bearer' ? readToken(value) : []),
    scheme.toLowerCase() === 'basic' ? readBasic(value) : null,
    ...(typeof header === 'string' && header !== '' ? readToken(header) : []),
  ];
  return found.filter((credentials) => credentials !== null);
}

/** Node reads headers as Latin-1, as browsers write them. Other programs write UTF-8. */
function readToken(value: string): Credentials[] {
  const utf8 = Buffer.from(value, 'latin1').toString('utf8');
  return utf8 === value ? [{ secret: value }] : [{ secret: value }, { secret: utf8 }];
}

function readBasic(value: string): Credentials | null {
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? null : { name: text.slice(0, colon), secret: text.slice(colon + 1) };
}
