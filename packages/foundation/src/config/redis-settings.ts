import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FieldProblem } from '../errors/index.js';
import { ofEntry } from './access-settings.js';
import { parseUrl, type RedisProfileName, type Variables } from './variables.js';

/** The address of one server of several, an IPv6 address without its brackets. */
export interface RedisNode {
  host: string;
  port: number;
}

interface Login {
  username?: string;
  password?: string;
}

/** How the certificate of a Redis that speaks TLS is checked. */
interface CertificateCheck {
  /** Trusted certificate authorities in PEM, instead of those that Node trusts. */
  ca?: string;
  /** If false, every certificate is accepted. */
  verifiesCertificate: boolean;
}

interface RedisLogin extends Login, Partial<CertificateCheck> {
  database: number;
  tls: boolean;
}

/** How to reach Redis: one of four kinds of connection. */
export type RedisConnection =
  | ({ kind: 'single'; host: string; port: number } & RedisLogin)
  | { kind: 'socket'; path: string }
  | ({
      kind: 'sentinel';
      sentinels: readonly RedisNode[];
      masterName: string;
      /** What the sentinels themselves ask for; the login beside it is that of the servers. */
      sentinelLogin: Login;
    } & RedisLogin)
  | ({ kind: 'cluster'; nodes: readonly RedisNode[] } & RedisLogin);

/** The names that the status answers use. */
export type StorageType = 'Redis' | 'Upstash Redis' | 'Embedded Redis' | 'Redis Cluster' | 'Redis Sentinel';

/** The one Redis of this deployment: how to reach it, what to call it, and where our keys lie in it. */
export interface RedisSettings {
  connection: RedisConnection;
  storageType: StorageType;
  /** True when an external Redis is configured. */
  external: boolean;
  /** As set, or derived from the address; null = detected at the start. */
  profile: RedisProfileName | null;
  /** The hash tag that keeps every key of this deployment in one slot, e.g. `holdfast`. */
  prefix: string;
}

/** Without `REDIS_SENTINELS` these have no effect. */
const sentinelVariables = [
  'REDIS_SENTINEL_NAME',
  'REDIS_SENTINEL_USERNAME',
  'REDIS_SENTINEL_PASSWORD',
] as const;

/** Whether no setting names a Redis: the connection then goes to the default port of this machine. */
export function isUnnamed({ external, storageType }: RedisSettings): boolean {
  return !external && storageType !== 'Embedded Redis';
}

const LOCAL_REDIS = 'redis://127.0.0.1:6379';

/** Which Redis the variables name; at most one way of naming it may be used. */
export function readRedisSettings(env: Variables, problem: (p: FieldProblem) => void): RedisSettings {
  let isReadable = true;
  const redis = readNamedRedis(env, (p) => {
    isReadable = false;
    problem(p);
  });
  const { connection } = redis;
  // An unreadable address may have meant TLS.
  const tls = isReadable ? 'tls' in connection && connection.tls : true;
  const check = readCertificateCheck(env, tls, problem);
  return {
    ...redis,
    connection: connection.kind === 'socket' ? connection : { ...connection, ...check },
    profile: env.REDIS_PROFILE ?? (redis.storageType === 'Upstash Redis' ? 'upstash' : null),
    prefix: env.REDIS_PREFIX,
  };
}

function readNamedRedis(
  env: Variables,
  problem: (p: FieldProblem) => void,
): Omit<RedisSettings, 'profile' | 'prefix'> {
  const ways = [
    env.REDIS_URL !== undefined && 'REDIS_URL',
    env.UPSTASH_REDIS_REST_URL !== undefined && 'UPSTASH_REDIS_REST_URL',
    env.REDIS_SENTINELS.length > 0 && 'REDIS_SENTINELS',
    env.REDIS_CLUSTER_NODES.length > 0 && 'REDIS_CLUSTER_NODES',
  ].filter((way) => way !== false);
  // With REDIS_URL beside the REST variables (as Upstash's console offers both), the TCP address wins.
  const [first = '', ...others] = ways;
  for (const other of others)
    if (first !== 'REDIS_URL' || other !== 'UPSTASH_REDIS_REST_URL')
      problem({ path: other, message: `cannot be combined with ${first}` });
  if (env.REDIS_SENTINELS.length > 0) {
    if (env.REDIS_SENTINEL_NAME === undefined)
      problem({ path: 'REDIS_SENTINEL_NAME', message: 'is required with REDIS_SENTINELS' });
    if (env.REDIS_SENTINEL_USERNAME !== undefined && env.REDIS_SENTINEL_PASSWORD === undefined)
      problem({ path: 'REDIS_SENTINEL_PASSWORD', message: 'is required with REDIS_SENTINEL_USERNAME' });
    const { nodes, login } = readNodes('REDIS_SENTINELS', env.REDIS_SENTINELS, problem);
    const connection = {
      kind: 'sentinel',
      sentinels: nodes,
      masterName: env.REDIS_SENTINEL_NAME ?? '',
      sentinelLogin: loginOf(env.REDIS_SENTINEL_USERNAME, env.REDIS_SENTINEL_PASSWORD),
      ...login,
    } as const;
    return { connection, storageType: 'Redis Sentinel', external: true };
  }
  if (env.REDIS_CLUSTER_NODES.length > 0) {
    const { nodes, login } = readNodes('REDIS_CLUSTER_NODES', env.REDIS_CLUSTER_NODES, problem);
    return {
      connection: { kind: 'cluster', nodes, ...login },
      storageType: 'Redis Cluster',
      external: true,
    };
  }
  if (env.REDIS_URL !== undefined) {
    const connection = readRedisUrl('REDIS_URL', env.REDIS_URL, problem);
    const upstash = 'host' in connection && connection.host.endsWith('.upstash.io');
    return { connection, storageType: upstash ? 'Upstash Redis' : 'Redis', external: true };
  }
  if (env.UPSTASH_REDIS_REST_URL !== undefined) {
    return { connection: readUpstash(env, problem), storageType: 'Upstash Redis', external: true };
  }
  if (env.UPSTASH_REDIS_REST_TOKEN !== undefined) {
    problem({ path: 'UPSTASH_REDIS_REST_URL', message: 'is required with UPSTASH_REDIS_REST_TOKEN' });
  }
  const alone = sentinelVariables.find((name) => env[name] !== undefined);
  if (alone !== undefined) problem({ path: 'REDIS_SENTINELS', message: `is required with ${alone}` });
  const embedded = env.HOLDFAST_EMBEDDED_REDIS;
  const connection = readRedisUrl('HOLDFAST_EMBEDDED_REDIS', embedded ?? LOCAL_REDIS, problem);
  return {
    connection,
    storageType: embedded === undefined ? 'Redis' : 'Embedded Redis',
    external: false,
  };
}

/** `redis://[user:password@]host[:port][/db]`, `rediss://…`, `unix:///path` or a bare path. Escapes are decoded. */
function readRedisUrl(path: string, value: string, problem: (p: FieldProblem) => void): RedisConnection {
  const unusable = (message: string): RedisConnection => {
    problem({ path, message });
    return { kind: 'single', host: '127.0.0.1', port: 6379, database: 0, tls: false };
  };
  if (value.startsWith('/')) return { kind: 'socket', path: value };
  const url = parseUrl(value);
  if (url === null) return unusable('must be a URL that begins with redis:// or rediss://');
  // Unsupported URL parts are rejected, not ignored: some programs read `?db=3` as a database.
  if (hasQuery(url)) return unusable('must have no query and no fragment');
  if (url.protocol === 'unix:') {
    const socket = unescaped(url.pathname);
    if (socket === null) return unusable(BAD_ESCAPE);
    // In `unix://name` the name is a host, and without a path ioredis would connect to its default.
    if (url.hostname !== '' || socket.length < 2) return unusable('must be unix:///path/of/a/socket');
    return { kind: 'socket', path: socket };
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    return unusable('must begin with redis:// or rediss://');
  if (url.hostname === '') return unusable('must name a host');
  const database = url.pathname.replace(/^\//, '');
  if (!/^\d{0,9}$/.test(database))
    return unusable('must end with the host, the port or the number of a database');
  const login = credentials(url);
  if (login === null) return unusable(BAD_ESCAPE);
  return {
    kind: 'single',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    database: Number(database),
    tls: url.protocol === 'rediss:',
    ...login,
  };
}

function hasQuery(url: URL): boolean {
  return url.search !== '' || url.hash !== '';
}

const BAD_ESCAPE = 'has a % that is not part of an escape; write %25 for a percent sign';

/** The login of a URL, or null where it cannot be decoded. */
function credentials(url: URL): Login | null {
  const username = unescaped(url.username);
  const password = unescaped(url.password);
  if (username === null || password === null) return null;
  return loginOf(username || undefined, password || undefined);
}

function loginOf(username: string | undefined, password: string | undefined): Login {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

function unescaped(value: string): string | null {
  try {
    return decodeURIComponent(value);
  } catch {
    return null;
  }
}

/** Upstash names its HTTP address; the TCP one has the same host, port 6379, TLS and the token as password. */
function readUpstash(env: Variables, problem: (p: FieldProblem) => void): RedisConnection {
  const url = parseUrl(env.UPSTASH_REDIS_REST_URL ?? '');
  if (url === null || url.protocol !== 'https:')
    problem({ path: 'UPSTASH_REDIS_REST_URL', message: 'must be an https URL' });
  else if (url.href !== `https://${url.hostname}/`)
    problem({ path: 'UPSTASH_REDIS_REST_URL', message: 'must name a host and nothing else' });
  if (env.UPSTASH_REDIS_REST_TOKEN === undefined)
    problem({ path: 'UPSTASH_REDIS_REST_TOKEN', message: 'is required with UPSTASH_REDIS_REST_URL' });
  return {
    kind: 'single',
    host: url?.hostname ?? '',
    port: 6379,
    username: 'default',
    password: env.UPSTASH_REDIS_REST_TOKEN ?? '',
    database: 0,
    tls: true,
  };
}

/**
 * `host:port` entries, or URLs with login and TLS. The first entry sets both for all, so later entries may only repeat
 * them.
 */
function readNodes(
  path: string,
  entries: readonly string[],
  problem: (p: FieldProblem) => void,
): { nodes: RedisNode[]; login: RedisLogin } {
  const nodes: RedisNode[] = [];
  let first: RedisLogin | undefined;
  for (const [index, entry] of entries.entries()) {
    const unusable = (message: string): void => problem(ofEntry(path, index, message));
    const bare = !entry.includes('://');
    const url = parseUrl(bare ? `redis://${entry}` : entry);
    if (
      url === null ||
      url.hostname === '' ||
      url.port === '0' ||
      (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    ) {
      unusable('must be host:port or a redis:// URL');
      continue;
    }
    nodes.push({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 6379 : Number(url.port),
    });
    if (!['', '/', '/0'].includes(url.pathname))
      unusable('must end with its port, since the database is always 0');
    if (hasQuery(url)) unusable('must have no query and no fragment');
    const named = credentials(url);
    if (named === null) {
      unusable(BAD_ESCAPE);
      continue;
    }
    const login = { database: 0, tls: url.protocol === 'rediss:', ...named };
    if (index === 0) first = login;
    else if (first !== undefined && differs(first, login, bare))
      unusable('has another login or scheme than entry 1, which sets both for all');
  }
  return { nodes, login: first ?? { database: 0, tls: false } };
}

/** An entry without a scheme or without a login takes those of the first. */
function differs(first: RedisLogin, { tls, username, password }: RedisLogin, bare: boolean): boolean {
  if (!bare && tls !== first.tls) return true;
  if (username === undefined && password === undefined) return false;
  return username !== first.username || password !== first.password;
}

/** Reads the file too, so that an unusable one is reported at the start. */
function readCertificateCheck(
  { REDIS_TLS_CA: file, REDIS_TLS_VERIFY: verifiesCertificate }: Variables,
  tls: boolean,
  problem: (p: FieldProblem) => void,
): CertificateCheck {
  const path = file === undefined ? 'REDIS_TLS_VERIFY' : 'REDIS_TLS_CA';
  if (!tls && (file !== undefined || !verifiesCertificate))
    problem({ path, message: 'is for TLS only: the address of Redis must begin with rediss:' });
  if (!tls || file === undefined) return { verifiesCertificate };
  const read = readAuthorities(file);
  if (typeof read !== 'string') problem({ path, message: read.problem });
  return { verifiesCertificate, ...(typeof read === 'string' ? { ca: read } : {}) };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Problems never repeat the value: it may hold more than a path. */
function readAuthorities(file: string): string | { problem: string } {
  if (file.includes('-----BEGIN')) return { problem: 'must be the path of a file, not what is in it' };
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return {
      problem:
        code === 'ENOENT' ? 'names a file that does not exist' : `names a file that cannot be read (${code})`,
    };
  }
  const certificates = pem.match(CERTIFICATE) ?? [];
  if (certificates.length === 0)
    return { problem: 'names a file with no certificate in PEM (-----BEGIN CERTIFICATE-----)' };
  const broken = certificates.findIndex((certificate) => !isCertificate(certificate));
  if (broken !== -1) return { problem: `names a file whose certificate ${String(broken + 1)} is not valid` };
  return pem;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}
