import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { FieldProblem } from '../errors/index.js';
import { parseUrl, type Variables } from './variables.js';

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

/** Who may use the API. */
export interface AccessSettings {
  /** Without any, everyone may do everything. */
  keys: readonly ApiKey[];
  /** Whether media may be read without a key. */
  publicRead: boolean;
  /** Origins whose pages may call the API; `*` = all, none = no CORS headers at all. */
  corsOrigins: readonly string[];
  /** Express' `trust proxy` value. */
  trustProxy: boolean | number | string;
  /** Writes a minute per key (per address without keys); 0 = no limit. */
  rateLimitPerMinute: number;
}

export function readAccessSettings(env: Variables, problem: (p: FieldProblem) => void): AccessSettings {
  const keys: ApiKey[] = [];
  for (const [index, entry] of env.API_KEYS.entries()) {
    const key = readKey(entry);
    const unusable = (message: string): void => problem(ofEntry('API_KEYS', index, message));
    if (typeof key === 'string') unusable(key);
    else if (keys.some((other) => other.name === key.name)) unusable('repeats the name of another key');
    else if (keys.some((other) => other.secretHash.equals(key.secretHash)))
      unusable('has the secret of another key, so its role would depend on the order');
    else keys.push(key);
  }
  for (const [index, origin] of env.CORS_ORIGINS.entries()) {
    if (origin !== '*' && parseUrl(origin)?.origin !== origin)
      problem(ofEntry('CORS_ORIGINS', index, 'must be an origin such as https://app.example.com, or *'));
  }
  return {
    keys,
    publicRead: env.PUBLIC_READ,
    corsOrigins: env.CORS_ORIGINS,
    trustProxy: readTrustProxy(env.TRUST_PROXY, problem),
    rateLimitPerMinute: env.RATE_LIMIT_PER_MINUTE,
  };
}

/** A problem with one entry of a list, counted from 1. Without the entry itself, which may be a secret. */
export function ofEntry(path: string, index: number, message: string): FieldProblem {
  return { path, message: `entry ${String(index + 1)} ${message}` };
}

/** `name:role:secret` or `name:role:sha256=<hex>`. Problems never repeat the entry: it holds the secret. */
function readKey(entry: string): ApiKey | string {
  const parts = /^([A-Za-z0-9_.-]{1,64}):([a-z]+):(.+)$/.exec(entry);
  if (parts === null) return 'must look like name:role:secret';
  const [, name = '', role = '', secret = ''] = parts;
  const known = roles.find((candidate) => candidate === role);
  if (known === undefined) return 'must have the role read, write or admin';
  if (secret.length === 1) return 'must have a secret of more than one character';
  if (isExampleSecret(secret)) return EXAMPLE_SECRET;
  if (!secret.startsWith('sha256='))
    return { name, role: known, secretHash: createHash('sha256').update(secret).digest() };
  const hex = secret.slice('sha256='.length);
  if (!/^[0-9a-f]{64}$/i.test(hex)) return 'must have 64 hex digits after sha256=';
  return { name, role: known, secretHash: Buffer.from(hex, 'hex') };
}

/** Names of address ranges that Express knows. */
const proxyRanges = new Set(['loopback', 'linklocal', 'uniquelocal']);

function readTrustProxy(value: string, problem: (p: FieldProblem) => void): boolean | number | string {
  if (value === 'true') return true;
  if (value === 'false') return false;
  if (/^\d+$/.test(value)) return Number(value);
  const known = value.split(',').every((entry) => isProxyRange(entry.trim()));
  if (known) return value;
  problem({
    path: 'TRUST_PROXY',
    message: 'must be true, false, a number of proxies, or addresses such as 10.0.0.0/8, loopback',
  });
  return false;
}

function isProxyRange(entry: string): boolean {
  const [address = '', bits, ...rest] = entry.split('/');
  const version = isIP(address);
  if (version === 0) return proxyRanges.has(entry);
  return (
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)))
  );
}

/** Placeholders for secrets in documentation and templates. */
const examples = /^(?:change[-_ ]?me(?:[-_ ]too)?|some-long-secret|a-long-secret|your[-_ ]secret|<.*>)$/i;

/** Whether a secret was copied from an example. */
export function isExampleSecret(secret: string): boolean {
  return examples.test(secret);
}

export const EXAMPLE_SECRET =
  'has a secret from an example, which everybody knows; make one with openssl rand -hex 24';

/** Whether only this machine can reach what listens on this name or address. An IPv6 address comes without brackets. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
