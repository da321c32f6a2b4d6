import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseUrl, unusable } from './read-variable.js';
import type { IsSet, Report, Variables } from './variables.js';

/** The address of one server of several, an IPv6 address without its brackets. */
export interface RedisNode {
  host: string;
  port: number;
}

interface Login {
  username?: string | undefined;
  password?: string | undefined;
}

interface RedisLogin extends Login {
  database: number;
  tls: boolean;
  /** With TLS: trusted certificate authorities in PEM, instead of those that Node trusts. */
  ca?: string;
  /** With TLS: if false, every certificate is accepted. */
  verifiesCertificate?: boolean;
}

/** How to reach Redis: one of four kinds of connection. */
export type RedisConnection =
  | ({ kind: 'single' } & RedisNode & RedisLogin)
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
type StorageType = 'Redis' | 'Upstash Redis' | 'Embedded Redis' | 'Redis Cluster' | 'Redis Sentinel';

/** The one Redis of this deployment: how to reach it, what to call it, and where our keys lie in it. */
export type RedisSettings = ReturnType<typeof readRedisSettings>;

/** Whether no setting names a Redis: the connection then goes to the default port of this machine. */
export function isUnnamed({ external, storageType }: RedisSettings): boolean {
  return !external && storageType !== 'Embedded Redis';
}

type OfRedis = Variables['redis'];

/** The ways to name an external Redis, and what their variables say; undefined if they cannot be read. */
const ways = {
  REDIS_URL: ({ url }) => url,
  // Upstash names its HTTP address; the TCP one has the same host and the token as password.
  UPSTASH_REDIS_REST_URL: ({ upstashHost: host, upstashToken: password = '' }) => {
    const login = { username: 'default', password, database: 0, tls: true };
    return host === undefined ? undefined : { kind: 'single', host, port: 6379, ...login };
  },
  REDIS_SENTINELS: ({ sentinels, sentinelName: masterName = '', ...given }) => {
    const servers = serversOf(sentinels);
    const sentinelLogin = { username: given.sentinelUsername, password: given.sentinelPassword };
    return (
      servers && { kind: 'sentinel', sentinels: servers.nodes, masterName, sentinelLogin, ...servers.login }
    );
  },
  REDIS_CLUSTER_NODES: ({ clusterNodes }) => {
    const servers = serversOf(clusterNodes);
    return servers && { kind: 'cluster', nodes: servers.nodes, ...servers.login };
  },
} as const satisfies Record<string, (given: OfRedis) => RedisConnection | undefined>;
type Way = keyof typeof ways;
export const redisWays = Object.keys(ways) as Way[];

/** A variable, another that it needs, and the way that both belong to. They have no effect beside another way. */
const belongTogether = [
  ['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN', 'UPSTASH_REDIS_REST_URL'],
  ['UPSTASH_REDIS_REST_TOKEN', 'UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_URL'],
  ['REDIS_SENTINELS', 'REDIS_SENTINEL_NAME', 'REDIS_SENTINELS'],
  ['REDIS_SENTINEL_NAME', 'REDIS_SENTINELS', 'REDIS_SENTINELS'],
  ['REDIS_SENTINEL_PASSWORD', 'REDIS_SENTINELS', 'REDIS_SENTINELS'],
  ['REDIS_SENTINEL_USERNAME', 'REDIS_SENTINEL_PASSWORD', 'REDIS_SENTINELS'],
] as const;

const LOCAL_REDIS = { kind: 'single', host: '127.0.0.1', port: 6379, database: 0, tls: false } as const;

/** Which Redis the variables name; at most one way of naming it may be used. */
export function readRedisSettings(given: OfRedis, isSet: IsSet, problem: Report) {
  const [way, ...others] = redisWays.filter(isSet);
  for (const other of others)
    // Upstash's console offers these two together.
    if (way !== 'REDIS_URL' || other !== 'UPSTASH_REDIS_REST_URL')
      problem(other, `cannot be combined with ${String(way)}`);
  for (const [name, needed, ofWay] of belongTogether)
    if ((way === undefined || way === ofWay) && isSet(name) && !isSet(needed))
      problem(needed, `is required with ${name}`);
  const named: RedisConnection | undefined =
    way === undefined ? (given.embedded ?? LOCAL_REDIS) : ways[way](given);
  const connection = named ?? LOCAL_REDIS;
  const storageType = storageTypeOf(connection, way, given.embedded !== undefined);
  return {
    connection: named === undefined ? LOCAL_REDIS : withCertificateCheck(named, given, problem),
    storageType,
    /** Whether an external Redis is configured. */
    external: way !== undefined,
    /** As set, or derived from the address; null = detected at the start. */
    profile: given.profile ?? (storageType === 'Upstash Redis' ? 'upstash' : null),
    /** The hash tag that keeps every key of this deployment in one slot. */
    prefix: given.prefix,
  };
}

function storageTypeOf(connection: RedisConnection, way: Way | undefined, isEmbedded: boolean): StorageType {
  if (connection.kind === 'sentinel') return 'Redis Sentinel';
  if (connection.kind === 'cluster') return 'Redis Cluster';
  if (way === undefined) return isEmbedded ? 'Embedded Redis' : 'Redis';
  const isUpstash = connection.kind === 'single' && connection.host.endsWith('.upstash.io');
  return isUpstash || way === 'UPSTASH_REDIS_REST_URL' ? 'Upstash Redis' : 'Redis';
}

function withCertificateCheck(connection: RedisConnection, given: OfRedis, problem: Report): RedisConnection {
  const { tlsCa: ca, tlsVerify: verifiesCertificate } = given;
  if ('tls' in connection && connection.tls)
    return { ...connection, verifiesCertificate, ...(ca === undefined ? {} : { ca }) };
  const message = 'is for TLS only: the address of Redis must begin with rediss:';
  if (ca !== undefined) problem('REDIS_TLS_CA', message);
  if (!verifiesCertificate) problem('REDIS_TLS_VERIFY', message);
  return connection;
}

/** The first entry sets login and scheme for all. */
function serversOf(all: readonly RedisServer[]): { nodes: RedisNode[]; login: RedisLogin } | undefined {
  const [first] = all;
  if (first === undefined) return undefined;
  const { host: _host, port: _port, ...login } = first;
  return { nodes: all.map(({ host, port }) => ({ host, port })), login };
}

/** `redis://[user:password@]host[:port][/db]`, `rediss://…`, `unix:///path` or a bare path. */
export function readRedisUrl(value: string): RedisConnection {
  if (value.startsWith('/')) return { kind: 'socket', path: value };
  if (!value.startsWith('unix:')) return { kind: 'single', ...readServer(value) };
  const url = parseUrl(value);
  refuseQuery(url);
  const path = unescaped(url?.pathname ?? '');
  // In `unix://name` the name is a host, and without a path ioredis would connect to its default.
  if (url?.hostname !== '' || path.length < 2) throw unusable('must be unix:///path/of/a/socket');
  return { kind: 'socket', path };
}

/** `host:port`, or a URL with login and TLS. Later entries may only repeat those of the first. */
export function readNode(entry: string, [first]: readonly RedisServer[]): RedisServer {
  const isBare = !entry.includes('://');
  const server = readServer(isBare ? `redis://${entry}` : entry);
  if (server.database !== 0) throw unusable('must end with its port, since the database is always 0');
  const hasLogin = server.username !== undefined || server.password !== undefined;
  if (
    first !== undefined &&
    ((!isBare && server.tls !== first.tls) ||
      (hasLogin && (server.username !== first.username || server.password !== first.password)))
  )
    throw unusable('has another login or scheme than entry 1, which sets both for all');
  return server;
}

export type RedisServer = RedisNode & RedisLogin;

/** What the URL of a server says, its escapes decoded. */
function readServer(value: string): RedisServer {
  const url = parseUrl(value);
  if (url === null || !/^rediss?:$/.test(url.protocol))
    throw unusable('must begin with redis:// or rediss://');
  if (url.hostname === '' || url.port === '0') throw unusable('must name a host, and a port other than 0');
  refuseQuery(url);
  const database = url.pathname.slice(1);
  if (!/^\d{0,9}$/.test(database))
    throw unusable('must end with the host, the port or the number of a database');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    database: Number(database),
    tls: url.protocol === 'rediss:',
    username: unescaped(url.username) || undefined,
    password: unescaped(url.password) || undefined,
  };
}

/** The host of Upstash's HTTP address. */
export function readUpstashHost(value: string): string {
  const url = parseUrl(value);
  if (url?.protocol !== 'https:') throw unusable('must be an https URL');
  if (url.href !== `https://${url.hostname}/`) throw unusable('must name a host and nothing else');
  return url.hostname;
}

/** Unsupported URL parts are rejected, not ignored: some programs read `?db=3` as a database. */
function refuseQuery(url: URL | null): void {
  if (url === null || url.search !== '' || url.hash !== '')
    throw unusable('must have no query and no fragment');
}

function unescaped(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw unusable('has a % that is not part of an escape; write %25 for a percent sign');
  }
}

/** The certificates of a file in PEM. Read here, so that an unusable file is reported at the start. */
export function readAuthorities(file: string): string {
  if (file.includes('-----BEGIN')) throw unusable('must be the path of a file, not what is in it');
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw unusable(
      code === 'ENOENT' ? 'names a file that does not exist' : `names a file that cannot be read (${code})`,
    );
  }
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (certificates.length === 0)
    throw unusable('names a file with no certificate in PEM (-----BEGIN CERTIFICATE-----)');
  for (const [index, certificate] of certificates.entries())
    try {
      void new X509Certificate(certificate);
    } catch {
      throw unusable(`names a file whose certificate ${String(index + 1)} is not valid`);
    }
  return pem;
}
