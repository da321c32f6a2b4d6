import { createHash } from 'node:crypto';
import type { FieldProblem } from '../errors/index.js';
import { parseUrl } from './environment.js';
import type { Variables } from './variables.js';

/** From weak to strong; each role may do what the ones before it may. */
export const roles = ['read', 'write', 'admin'] as const;
export type Role = (typeof roles)[number];

export interface ApiKey {
  name: string;
  role: Role;
  /** SHA-256 of the secret; the secret itself is not kept. */
  secretHash: Buffer;
}

export interface AccessSettings {
  keys: readonly ApiKey[];
  publicRead: boolean;
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
    trustProxy: readTrustProxy(env.TRUST_PROXY),
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
  if (!secret.startsWith('sha256='))
    return { name, role: known, secretHash: createHash('sha256').update(secret).digest() };
  const hex = secret.slice('sha256='.length);
  if (!/^[0-9a-f]{64}$/i.test(hex)) return 'must have 64 hex digits after sha256=';
  return { name, role: known, secretHash: Buffer.from(hex, 'hex') };
}

function readTrustProxy(value: string): boolean | number | string {
  if (value === 'true') return true;
  if (value === 'false') return false;
  return /^\d+$/.test(value) ? Number(value) : value;
}
