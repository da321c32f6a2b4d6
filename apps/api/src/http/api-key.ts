import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { AccessSettings, ApiKey } from '@holdfast/shared/config';
import { anonymous, type Client } from './request-context.js';

interface Credentials {
  secret: string;
  /** Only Basic names the key. */
  name?: string;
}

/**
 * Who sends these headers. Null when they carry no credentials or unknown ones although keys are configured;
 * without any key everyone is anonymous with all roles.
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

/** Whether a key was tried, be it a right one or not. */
export function carriesKey(headers: IncomingHttpHeaders): boolean {
  return readCredentials(headers).length > 0;
}

/** Compares with every key, each in constant time, so that the time tells nothing of the secrets. */
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

/** Node reads headers as Latin-1, and so browsers write them. Other programs write UTF-8. */
function readToken(value: string): Credentials[] {
  const utf8 = Buffer.from(value, 'latin1').toString('utf8');
  return utf8 === value ? [{ secret: value }] : [{ secret: value }, { secret: utf8 }];
}

function readBasic(value: string): Credentials | null {
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? null : { name: text.slice(0, colon), secret: text.slice(colon + 1) };
}
