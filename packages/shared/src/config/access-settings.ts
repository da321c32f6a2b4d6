import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { FieldProblem } from '../errors/index.js';
import { parseUrl } from './environment.js';
import { EXAMPLE_SECRET, isExampleSecret } from './example-secret.js';
import type { Variables } from './variables.js';

/** From weak to strong; each role may do what the ones before it may. */
export const roles = ['read', 'write', 'admin'] as const;
/** What a key may do; roles are compared by their place in `roles`. */
export type Role = (typeof roles)[number];

/** One client of `API_KEYS`. */
export interface ApiKey {
  /** Unlike that of any other key; the media that come in with it carry it as `uploadedBy`. */
  name: string;
  role: Role;
  /** Unlike that of any other key, too: SHA-256 of the secret; the secret itself is not kept. */
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
    const path = `API_KEYS[${String(index)}]`;
    if (typeof key === 'string') problem({ path, message: key });
    else if (keys.some((other) => other.name === key.name))
      problem({ path, message: 'repeats the name of another key' });
    else if (keys.some((other) => other.secretHash.equals(key.secretHash)))
      problem({ path, message: 'has the secret of another key, which would decide the role' });
    else keys.push(key);
  }
  for (const [index, origin] of env.CORS_ORIGINS.entries()) {
    if (origin !== '*' && parseUrl(origin)?.origin !== origin) {
      problem({
        path: `CORS_ORIGINS[${String(index)}]`,
        message: 'must be an origin such as https://app.example.com, or *',
      });
    }
  }
  return {
    keys,
    publicRead: env.PUBLIC_READ,
    corsOrigins: env.CORS_ORIGINS,
    trustProxy: readTrustProxy(env.TRUST_PROXY, problem),
    rateLimitPerMinute: env.RATE_LIMIT_PER_MINUTE,
  };
}

/** `name:role:secret` or `name:role:sha256=<hex>`. Problems never repeat the entry: it holds the secret. */
function readKey(entry: string): ApiKey | string {
  const parts = /^([A-Za-z0-9_.-]{1,64}):([a-z]+):(.+)$/.exec(entry);
  if (parts === null) return 'must look like name:role:secret';
  const [, name = '', role = '', secret = ''] = parts;
  const known = roles.find((candidate) => candidate === role);
  if (known === undefined) return 'must have the role read, write or admin';
  if (secret.length === 1) return 'must have a secret of more than one character';
  if (isExampleSecret(secret)) return `its secret ${EXAMPLE_SECRET}`;
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
