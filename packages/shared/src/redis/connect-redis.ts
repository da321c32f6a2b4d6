import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Cluster, Command, Redis, type RedisOptions as AllRedisOptions } from 'ioredis';
import type { RedisConnection } from '@holdfast/foundation/config';
import { createBackoff, withinMs, type Backoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { readOnPrimary } from './read-on-primary.js';
import { redisErrorKind, redisFault, redisRefusal, type RedisRefusal } from './redis-error.js';
import { redisProfiles, type RedisProfile } from './redis-profile.js';
import { onRefusedGreeting, SentinelConnector, tame } from './tame-ioredis.js';

/** What `connectRedis` gives: a Cluster where the settings name its nodes, else a client of one server. */
export type RedisClient = Redis | Cluster;

type RedisOptions = Omit<AllRedisOptions, 'replyMapping'>;

/**
 * What a connection is for decides how it behaves when Redis does not answer.
 * Nothing is ever sent twice except on `queue`, where BullMQ's scripts are safe to repeat, and on a Cluster: its client
 * repeats what a lost node did not answer, and every write of ours may be repeated.
 */
export type RedisRole = 'request' | 'background' | 'readback' | 'barrier' | 'producer' | 'queue' | 'events';

/** How long one command may take; for ever where that is not set. */
const timeouts: Record<RedisRole, ((profile: RedisProfile) => number) | undefined> = {
  // A client waits behind it, and gets an answer within a second, the rate limit's patience included. Disks that are shared let a
  // server with fsync on every write wait for half a second now and then: that is slow, not away.
  request: ({ requestTimeoutMs }) => requestTimeoutMs,
  background: ({ backgroundTimeoutMs }) => backgroundTimeoutMs,
  // Another connection than the one that wrote, or the read-back would prove nothing.
  readback: ({ backgroundTimeoutMs }) => backgroundTimeoutMs,
  // No timeout below the barrier's own, and never resent: a new connection would confirm what it did not write.
  barrier: undefined,
  producer: () => 2_000,
  // BullMQ blocks on it, so it has no timeout and waits for Redis for ever.
  queue: undefined,
  events: ({ requestTimeoutMs }) => requestTimeoutMs,
};

const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than any answer takes: that of a barrier that waits for disk and replicas in vain, 5 s each. */
const SILENT_MS = 15_000;
/** Any failover of a Cluster is over by then. */
const QUEUE_PATIENCE_MS = 1_000_000;

const profiles = new WeakMap<RedisClient, RedisProfile>();

/** The profile with which a connection was opened. */
export function profileOfClient(client: RedisClient): RedisProfile {
  return profiles.get(client) ?? redisProfiles.standard;
}

/** Opens a connection for one role. It connects by itself and again after each loss; errors of one outage are logged once a minute. */
export function connectRedis(
  connection: RedisConnection,
  role: RedisRole,
  log: Logger,
  profile: RedisProfile = redisProfiles.standard,
): RedisClient {
  const timeoutMs = timeouts[role]?.(profile);
  const options: RedisOptions = {
    ...patience(role, timeoutMs),
    connectionName: `holdfast-${role}`,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // Nothing here needs the replies of RESP3, and not every service knows HELLO, which asks for them.
    protocol: 2,
    // CLIENT SETINFO, which Redis before 7.2 refuses, would be logged as an error of each connection.
    disableClientInfo: true,
    // Who subscribes does so after each connect: what must come before that is lost with the connection, too.
    autoResubscribe: false,
    ...login(connection),
  };
  const opened = open(connection, options, role === 'queue' ? QUEUE_PATIENCE_MS : (timeoutMs ?? SILENT_MS));
  const onError = connectionLog(opened, role, log);
  const client = tame(opened, (one) => reconnectPatiently(one, onError));
  profiles.set(client, profile);
  // Where reads may be behind, ours never come from a replica. BullMQ's own are only shown, or tried again.
  return profile.readsLagMs > 0 && role !== 'queue' ? readOnPrimary(client) : client;
}

/** All but BullMQ's connection fail at once where Redis is not there. */
function patience(role: RedisRole, commandTimeout: number | undefined): RedisOptions {
  if (role === 'queue') return { maxRetriesPerRequest: null };
  return {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // A connection may be dead without a sign, and a command that times out leaves it as it is: opened again where it owes an
    // answer for that long. BullMQ blocks on its own for minutes; the watch of the worker looks after those.
    socketTimeout: SILENT_MS,
    commandTimeout,
  };
}

function open(connection: RedisConnection, options: RedisOptions, patienceMs: number): RedisClient {
  switch (connection.kind) {
    case 'single':
      return new Redis({ ...options, host: connection.host, port: connection.port });
    case 'socket':
      return new Redis({ ...options, path: connection.path });
    case 'sentinel':
      return new Redis({
        ...options,
        sentinels: [...connection.sentinels],
        name: connection.masterName,
        sentinelUsername: connection.sentinelLogin.username,
        sentinelPassword: connection.sentinelLogin.password,
        enableTLSForSentinelMode: connection.tls,
        // The sentinels are what `rediss://` names; without this they would be asked in the clear.
        sentinelTLS: tlsOptions(connection),
        failoverDetector: true,
        Connector: SentinelConnector,
        // One that takes connections and never answers would hold up the search for ever. As long as for an address that
        // takes none: the time covers the connection and the greeting too, and slow sentinels must be heard.
        sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
        sentinelRetryStrategy: reconnectDelay,
      });
    case 'cluster':
      return new Cluster([...connection.nodes], {
        enableOfflineQueue: options.enableOfflineQueue ?? true,
        clusterRetryStrategy: reconnectDelay,
        slotsRefreshTimeout: 2_000,
        // While a failover is under way it asks again every 100 ms.
        maxRedirections: patienceMs / 100,
        // A node that lost its role says where to go: no need for another connection to it.
        redisOptions: { ...options, reconnectOnError: null },
        ...(connection.tls ? { dnsLookup: (address, callback) => callback(null, address) } : {}),
      });
  }
}

function login(connection: RedisConnection): RedisOptions {
  if (connection.kind === 'socket') return {};
  const { username, password } = connection;
  const db = connection.kind === 'cluster' ? 0 : connection.database;
  return { db, username, password, tls: tlsOptions(connection) };
}

/** Of this connection alone: whatever else the process connects to is checked as ever. Undefined without TLS. */
function tlsOptions(connection: Exclude<RedisConnection, { kind: 'socket' }>): ConnectionOptions | undefined {
  if (!connection.tls) return undefined;
  return {
    // The name that the server is asked for (SNI) must not be an address.
    servername: connection.kind === 'single' && isIP(connection.host) === 0 ? connection.host : undefined,
    ca: connection.ca,
    rejectUnauthorized: connection.verifiesCertificate !== false,
  };
}

/** A process has several connections, and an outage may last for hours. */
const QUIET_MS = 60_000;

/** Says what keeps a connection away once a minute, and at once when the server says more than before; and that it is back. */
function connectionLog(client: RedisClient, role: RedisRole, log: Logger): (error: Error) => void {
  let lastLoggedAt = -Infinity;
  let lastRefusal: RedisRefusal | null = null;
  client.on('ready', () => {
    lastLoggedAt = -Infinity;
    log.debug('redis.ready', { role });
  });
  return (error) => {
    const now = performance.now();
    const { refusal, why, fix } = redisFault(error);
    // Of a server that has no room sometimes only the end of the connection is seen, and its words with a later try.
    if (now - lastLoggedAt < QUIET_MS && (refusal === null || refusal === lastRefusal)) return;
    lastLoggedAt = now;
    lastRefusal = refusal;
    const { name, message } = error;
    const reason = { ...(refusal === null ? {} : { refusal }), why, fix };
    log.warn('redis.connection_error', { role, error: { name, message }, ...reason });
  };
}

const AWAY_LONGEST_MS = 1_000;

/** While nothing answers: a restarted server is found within about a second. */
const reconnectDelay = (tries: number): number =>
  Math.min(50 * 2 ** Math.min(tries, 10), AWAY_LONGEST_MS) + Math.floor(Math.random() * 50);

const lastErrors = new WeakMap<RedisClient, Error>();

/** What kept this connection from Redis at its last try; undefined while it is there. Commands only say that it is not. */
export function connectionError(client: RedisClient): Error | undefined {
  return lastErrors.get(client);
}

/**
 * Makes a client reconnect soon to a server that is away, and ever more rarely to one that answers and refuses it: by its plan, by
 * the number of connections, or with this login. `onError` receives each new reason.
 */
function reconnectPatiently(client: RedisClient, onError: (error: Error) => void): void {
  const backoff = createBackoff();
  let readyAt = -Infinity;
  let fleeting = 0;
  const note = (reported: Error): void => {
    const error = reported.cause instanceof Error ? reported.cause : reported;
    const last = lastErrors.get(client);
    // Errors after a connection was given up do not say why; nor does its end, where the server has said why before.
    const saysLess =
      redisErrorKind(last) === 'unreachable'
        ? /^Stream isn't writeable/
        : /^(?:Stream isn't writeable|read E|write E|Connection is closed)/;
    if (last !== undefined && saysLess.test(error.message)) return;
    lastErrors.set(client, error);
    onError(error);
  };
  const delay = (tries: number, error: unknown): number => {
    if (redisRefusal(error) !== null || redisErrorKind(error) === 'credentials') return backoff.nextMs();
    // A connection that is lost as soon as it is there would be opened again without end.
    if (tries === 1) fleeting = performance.now() - readyAt < AWAY_LONGEST_MS ? fleeting + 1 : 0;
    return fleeting > 1 ? AWAY_LONGEST_MS : reconnectDelay(tries);
  };

  client.on('error', note);
  client.on('ready', () => {
    readyAt = performance.now();
    lastErrors.delete(client);
    backoff.reset();
  });
  if (client instanceof Cluster) {
    client.options.clusterRetryStrategy = (tries, reason) =>
      delay(tries, (reason as { lastNodeError?: Error } | undefined)?.lastNodeError);
  } else {
    client.options.retryStrategy = (tries) => delay(tries, lastErrors.get(client));
    // Talking to a demoted master: reconnect (through Sentinel where there is one), and send again where commands may wait
    // for that. Where they may not, the caller hears what the server said, not that nobody answered.
    client.options.reconnectOnError = (error) => {
      if (redisErrorKind(error) !== 'demoted') return false;
      lastErrors.set(client, error);
      return client.options.enableOfflineQueue === false ? 1 : 2;
    };
    onRefusedGreeting(client, note);
  }
}

/** Resolves once the connection can take commands; false when it cannot within `timeoutMs`, or was closed. */
export async function isReadyWithin(client: RedisClient, timeoutMs: number): Promise<boolean> {
  if (client.status === 'ready') return true;
  if (client.status === 'end') return false;
  const ready = new Promise<boolean>((resolve) => {
    client.once('ready', () => resolve(true));
    client.once('end', () => resolve(false));
  });
  return withinMs(timeoutMs, ready, false);
}

/** For a loop that asks this connection: once it is there again the loop continues at once. */
export function redisBackoff(client: RedisClient): Backoff {
  const backoff = createBackoff();
  client.on('ready', () => backoff.reset());
  return backoff;
}

/**
 * Opens the connection again; commands in flight fail or are sent again, as its role says. A client that is already connecting is
 * left alone: interrupting a search for the master would end an ioredis client for good.
 */
export function reconnectRedis(client: { status: string; disconnect(reconnect: boolean): void }): void {
  if (client.status === 'ready' || client.status === 'connect') client.disconnect(true);
}

/** Ends a connection: politely within a second, else at once. A paused server must not hold up a shutdown. */
export async function closeRedis(client: RedisClient): Promise<void> {
  if (client.status === 'end') return;
  if (client.status === 'ready') await withinMs(1_000, client.quit(), undefined).catch(() => undefined);
  client.disconnect();
}

/**
 * A number that grows whenever commands on `key` may have gone to another server, or to the same one after a loss. A
 * Cluster client stays ready through a failover, so there the connections to its nodes count, and who holds the slot.
 */
export function connectionEpoch(client: RedisClient, key: string): () => number {
  let epoch = 0;
  const grow = (): void => {
    epoch += 1;
  };
  client.on('ready', grow);
  if (!(client instanceof Cluster)) return () => epoch;
  client.on('+node', (node: Redis) => node.on('ready', grow));
  client.on('-node', grow);
  let holder = holderOf(client, key);
  return () => {
    const now = holderOf(client, key);
    if (now !== holder) grow();
    holder = now;
    return epoch;
  };
}

/**
 * The server that holds `key` now, for commands that name no key: a Cluster client would ask any node. The client itself
 * where there is one server, or where the holder is not known yet.
 */
export function serverOf(client: RedisClient, key: string): RedisClient {
  if (!(client instanceof Cluster)) return client;
  const address = holderOf(client, key);
  return (
    client
      .nodes('master')
      .find(({ options }) => `${String(options.host)}:${String(options.port)}` === address) ?? client
  );
}

/** `host:port` of the master that the client believes to hold the key. */
function holderOf(cluster: Cluster, key: string): string | undefined {
  return cluster.slots[new Command('get', [key]).getSlot()]?.[0];
}
