import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { parseUrl, unusable } from './read-variable.js';

/** From weak to strong; each role includes the ones before it. */
export const roles = ['read', 'write', 'admin'] as const;
/** What a key may do; roles are compared by their place in `roles`. */
export type Role = (typeof roles)[number];

/** One client of `API_KEYS`. */
export interface ApiKey {
  /** Unique among the keys. Files uploaded with the key carry it as `uploadedBy`. */
  name: string;
  role: Role;
  /** SHA-256 of the secret, unique among the keys. The secret itself is not kept. */
  secretHash: Buffer;
}

/** `name:role:secret` or `name:role:sha256=<hex>`. */
export function readApiKey(entry: string, others: readonly ApiKey[]): ApiKey {
  const [, name = '', named = '', secret = ''] = /^([A-Za-z0-9_.-]{1,64}):([a-z]+):(.+)$/.exec(entry) ?? [];
  if (name === '') throw unusable('must look like name:role:secret');
  const role = roles.find((known) => known === named);
  if (role === undefined) throw unusable('must have the role read, write or admin');
  if (secret.length === 1) throw unusable('must have a secret of more than one character');
  refuseExample(secret);
  const secretHash = hashOf(secret);
  if (others.some((other) => other.name === name)) throw unusable('repeats the name of another key');
  if (others.some((other) => other.secretHash.equals(secretHash)))
    throw unusable('has the secret of another key, so its role would depend on the order');
  return { name, role, secretHash };
}

function hashOf(secret: string): Buffer {
  const hex = /^sha256=(.*)$/.exec(secret)?.[1];
  if (hex === undefined) return createHash('sha256').update(secret).digest();
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw unusable('must have 64 hex digits after sha256=');
  return Buffer.from(hex, 'hex');
}

/** Placeholders for secrets in documentation and templates. */
const examples = /^(?:change[-_ ]?me(?:[-_ ]too)?|some-long-secret|a-long-secret|your[-_ ]secret|<.*>)$/i;

export function refuseExample(secret: string): void {
  if (examples.test(secret))
    throw unusable('has a secret from an example, which everybody knows; make one with openssl rand -hex 24');
}

/** An origin whose pages may call the API, or `*`. */
export function readOrigin(origin: string): string {
  if (origin === '*' || parseUrl(origin)?.origin === origin) return origin;
  throw unusable('must be an origin such as https://app.example.com, or *');
}

/** Express' `trust proxy` value. */
export function readTrustProxy(value: string): boolean | number | string {
  if (value === 'true' || value === 'false') return value === 'true';
  if (/^\d+$/.test(value)) return Number(value);
  if (value.split(',').every((entry) => isProxyRange(entry.trim()))) return value;
  throw unusable('must be true, false, a number of proxies, or addresses such as 10.0.0.0/8, loopback');
}

/** Names of address ranges that Express knows. */
const proxyRanges = new Set(['loopback', 'linklocal', 'uniquelocal']);

function isProxyRange(entry: string): boolean {
  if (proxyRanges.has(entry)) return true;
  const [address = '', bits = '0', ...rest] = entry.split('/');
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most;
}

/** Whether only this machine can reach what listens on this name or address. An IPv6 address comes without brackets. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
