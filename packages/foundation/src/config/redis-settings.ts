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

type Report = (problem: FieldProblem) => void;

const LOCAL_REDIS = 'redis://127.0.0.1:6379';

/** Which Redis the variables name; at most one way of naming it may be used. */
export function readRedisSettings(env: Variables, problem: Report): RedisSettings {
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

/** The ways to name an external Redis. Upstash's console offers the first two together; the TCP address wins. */
const ways = ['REDIS_URL', 'UPSTASH_REDIS_REST_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER_NODES'] as const;

function readNamedRedis(env: Variables, problem: Report): Omit<RedisSettings, 'profile' | 'prefix'> {
  const [way, ...others] = ways.filter((name) => env[name] !== undefined && env[name].length > 0);
  for (const other of others)
    if (way !== 'REDIS_URL' || other !== 'UPSTASH_REDIS_REST_URL')
      problem({ path: other, message: `cannot be combined with ${String(way)}` });
  switch (way) {
    case 'REDIS_URL': {
      const connection = readRedisUrl(way, env[way] ?? '', problem);
      const upstash = 'host' in connection && connection.host.endsWith('.upstash.io');
      return { connection, storageType: upstash ? 'Upstash Redis' : 'Redis', external: true };
    }
    case 'UPSTASH_REDIS_REST_URL':
      return { connection: readUpstash(env, problem), storageType: 'Upstash Redis', external: true };
    case 'REDIS_SENTINELS':
      return { connection: readSentinels(env, problem), storageType: 'Redis Sentinel', external: true };
    case 'REDIS_CLUSTER_NODES':
      return {
        connection: { kind: 'cluster', ...readNodes(way, env[way], problem) },
        storageType: 'Redis Cluster',
        external: true,
      };
    case undefined:
      break;
  }
  return { ...readUnnamedRedis(env, problem), external: false };
}

function readUnnamedRedis(
  env: Variables,
  problem: Report,
): Pick<RedisSettings, 'connection' | 'storageType'> {
  if (env.UPSTASH_REDIS_REST_TOKEN !== undefined)
    problem({ path: 'UPSTASH_REDIS_REST_URL', message: 'is required with UPSTASH_REDIS_REST_TOKEN' });
  const alone = sentinelVariables.find((name) => env[name] !== undefined);
  if (alone !== undefined) problem({ path: 'REDIS_SENTINELS', message: `is required with ${alone}` });
  const embedded = env.HOLDFAST_EMBEDDED_REDIS;
  return {
    connection: readRedisUrl('HOLDFAST_EMBEDDED_REDIS', embedded ?? LOCAL_REDIS, problem),
    storageType: embedded === undefined ? 'Redis' : 'Embedded Redis',
  };
}

function readSentinels(env: Variables, problem: Report): RedisConnection {
  const {
    REDIS_SENTINEL_NAME: name,
    REDIS_SENTINEL_USERNAME: username,
    REDIS_SENTINEL_PASSWORD: password,
  } = env;
  if (name === undefined)
    problem({ path: 'REDIS_SENTINEL_NAME', message: 'is required with REDIS_SENTINELS' });
  if (username !== undefined && password === undefined)
    problem({ path: 'REDIS_SENTINEL_PASSWORD', message: 'is required with REDIS_SENTINEL_USERNAME' });
  const { nodes, ...login } = readNodes('REDIS_SENTINELS', env.REDIS_SENTINELS, problem);
  const sentinelLogin = loginOf(username, password);
  return { kind: 'sentinel', sentinels: nodes, masterName: name ?? '', sentinelLogin, ...login };
}

/** Upstash names its HTTP address; the TCP one has the same host, port 6379, TLS and the token as password. */
function readUpstash(env: Variables, problem: Report): RedisConnection {
  const url = parseUrl(env.UPSTASH_REDIS_REST_URL ?? '');
  if (url === null || url.protocol !== 'https:')
    problem({ path: 'UPSTASH_REDIS_REST_URL', message: 'must be an https URL' });
  else if (url.href !== `https://${url.hostname}/`)
    problem({ path: 'UPSTASH_REDIS_REST_URL', message: 'must name a host and nothing else' });
  const password = env.UPSTASH_REDIS_REST_TOKEN ?? '';
  if (password === '')
    problem({ path: 'UPSTASH_REDIS_REST_TOKEN', message: 'is required with UPSTASH_REDIS_REST_URL' });
  const host = url?.hostname ?? '';
  return { kind: 'single', host, port: 6379, username: 'default', password, database: 0, tls: true };
}

/** `redis://[user:password@]host[:port][/db]`, `rediss://…`, `unix:///path` or a bare path. */
function readRedisUrl(path: string, value: string, problem: Report): RedisConnection {
  const read = /^(?:unix:|\/)/.test(value) ? readSocket(value) : readAddress(value);
  if (typeof read !== 'string')
    return 'path' in read ? { kind: 'socket', ...read } : { kind: 'single', ...read };
  problem({ path, message: read });
  return { kind: 'single', host: '127.0.0.1', port: 6379, database: 0, tls: false };
}

/** The path of a socket, or what is wrong with it. */
function readSocket(value: string): { path: string } | string {
  if (value.startsWith('/')) return { path: value };
  const url = parseUrl(value);
  if (url === null || hasQuery(url)) return NO_QUERY;
  const path = unescaped(url.pathname);
  if (path === null) return BAD_ESCAPE;
  // In `unix://name` the name is a host, and without a path ioredis would connect to its default.
  return url.hostname !== '' || path.length < 2 ? 'must be unix:///path/of/a/socket' : { path };
}

/**
 * `host:port` entries, or URLs with login and TLS. The first entry sets both for all, so later entries may only repeat
 * them.
 */
function readNodes(
  path: string,
  entries: readonly string[],
  problem: Report,
): { nodes: RedisNode[] } & RedisLogin {
  const nodes: RedisNode[] = [];
  let first: RedisLogin | undefined;
  for (const [index, entry] of entries.entries()) {
    const unusable = (message: string): void => problem(ofEntry(path, index, message));
    const bare = !entry.includes('://');
    const read = readAddress(bare ? `redis://${entry}` : entry);
    if (typeof read === 'string') {
      unusable(read);
      continue;
    }
    const { host, port, ...login } = read;
    nodes.push({ host, port });
    if (index === 0) first = login;
    if (login.database !== 0) unusable('must end with its port, since the database is always 0');
    else if (first !== undefined && differs(first, login, bare))
      unusable('has another login or scheme than entry 1, which sets both for all');
  }
  return { nodes, ...(first ?? { tls: false }), database: 0 };
}

/** An entry without a scheme or without a login takes those of the first. */
function differs(first: RedisLogin, { tls, username, password }: RedisLogin, bare: boolean): boolean {
  if (!bare && tls !== first.tls) return true;
  if (username === undefined && password === undefined) return false;
  return username !== first.username || password !== first.password;
}

/** What the URL of a server says, its escapes decoded, or what is wrong with it. */
function readAddress(value: string): (RedisNode & RedisLogin) | string {
  const url = parseUrl(value);
  if (url === null || !/^rediss?:$/.test(url.protocol)) return 'must begin with redis:// or rediss://';
  if (url.hostname === '' || url.port === '0') return 'must name a host, and a port other than 0';
  if (hasQuery(url)) return NO_QUERY;
  const database = url.pathname.slice(1);
  if (!/^\d{0,9}$/.test(database)) return 'must end with the host, the port or the number of a database';
  const username = unescaped(url.username);
  const password = unescaped(url.password);
  if (username === null || password === null) return BAD_ESCAPE;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    database: Number(database),
    tls: url.protocol === 'rediss:',
    ...loginOf(username || undefined, password || undefined),
  };
}

/** Unsupported URL parts are rejected, not ignored: some programs read `?db=3` as a database. */
const hasQuery = (url: URL): boolean => url.search !== '' || url.hash !== '';

const NO_QUERY = 'must have no query and no fragment';
const BAD_ESCAPE = 'has a % that is not part of an escape; write %25 for a percent sign';

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

/** Reads the file too, so that an unusable one is reported at the start. */
function readCertificateCheck(
  { REDIS_TLS_CA: file, REDIS_TLS_VERIFY: verifiesCertificate }: Variables,
  tls: boolean,
  problem: Report,
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
