import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Cluster, Redis, type RedisOptions as AllRedisOptions } from 'ioredis';
import type { RedisConnection } from '@holdfast/foundation/config';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { readOnPrimary } from './read-on-primary.js';
import { reconnectDelay, reconnectPatiently } from './reconnect.js';
import { redisFault, type RedisRefusal } from './redis-error.js';
import { redisProfiles, type RedisProfile } from './redis-profile.js';
import { SentinelConnector, tame } from './tame-ioredis.js';

/** What `connectRedis` gives: a Cluster where the settings name its nodes, else a client of one server. */
export type RedisClient = Redis | Cluster;

type RedisOptions = Omit<AllRedisOptions, 'replyMapping'>;

/**
 * What a connection is for decides how it behaves when Redis does not answer.
 * Nothing is ever sent twice except on `queue`, where BullMQ's scripts are safe to repeat, and on a Cluster: its client
 * repeats what a lost node did not answer, and every write of ours may be repeated.
 */
export type RedisRole = 'request' | 'background' | 'readback' | 'barrier' | 'producer' | 'queue' | 'events';

/** How often a Cluster client asks again, every 100 ms, while a failover is under way; `queue` outlasts any. */
const clusterTries: Record<RedisRole, number> = {
  request: 5,
  background: 50,
  readback: 50,
  barrier: 50,
  producer: 20,
  queue: 10_000,
  events: 5,
};

const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than any answer takes: that of a barrier that waits for disk and replicas in vain, 5 s each. */
const SILENT_MS = 15_000;

const roleOptions: Record<RedisRole, (profile: RedisProfile) => RedisOptions> = {
  // A client waits behind it, and is told within a second, the rate limit's patience included. Disks that are shared let a
  // server with fsync on every write wait for half a second now and then: that is slow, not away.
  request: ({ requestTimeoutMs }) => impatient(requestTimeoutMs),
  background: ({ backgroundTimeoutMs }) => impatient(backgroundTimeoutMs),
  // Another connection than the one that wrote, or the read-back would prove nothing.
  readback: ({ backgroundTimeoutMs }) => impatient(backgroundTimeoutMs),
  // No timeout below the barrier's own, and never resent: a new connection would confirm what it did not write.
  barrier: () => ({ enableOfflineQueue: false, maxRetriesPerRequest: 0 }),
  producer: ({ requestTimeoutMs }) => impatient(Math.max(2_000, requestTimeoutMs)),
  // BullMQ blocks on it, so it has no timeout and waits for Redis for ever.
  queue: () => ({ maxRetriesPerRequest: null }),
  // Its owner subscribes after each connect: what must come before that is lost with the connection, too.
  events: ({ requestTimeoutMs }) => ({ ...impatient(requestTimeoutMs), autoResubscribe: false }),
};

/** Fails at once where the connection is not there. */
const impatient = (commandTimeout: number): RedisOptions => ({
  enableOfflineQueue: false,
  commandTimeout,
  maxRetriesPerRequest: 0,
});

/** Roles whose reads decide something: they never come from a replica that is behind. */
const readsDecide: ReadonlySet<RedisRole> = new Set<RedisRole>([
  'request',
  'producer',
  'background',
  'readback',
]);

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
  const options: RedisOptions = {
    ...roleOptions[role](profile),
    connectionName: `holdfast-${role}`,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // Nothing here needs the replies of RESP3, and not every service knows HELLO, which asks for them.
    protocol: 2,
    // CLIENT SETINFO, which Redis before 7.2 refuses, would be logged as an error of each connection.
    disableClientInfo: true,
    // A connection may be dead without a sign, and a command that times out leaves it as it is: made anew where it owes an
    // answer for that long. BullMQ blocks on its own for minutes; stalled-jobs.ts of the worker looks after those.
    ...(role === 'queue' ? {} : { socketTimeout: SILENT_MS }),
    ...login(connection),
  };
  const opened = open(connection, role, options);
  const onError = connectionLog(opened, role, log);
  const client = tame(opened, (one) => reconnectPatiently(one, onError));
  profiles.set(client, profile);
  return profile.readsLagMs > 0 && readsDecide.has(role) ? readOnPrimary(client) : client;
}

function open(connection: RedisConnection, role: RedisRole, options: RedisOptions): RedisClient {
  switch (connection.kind) {
    case 'single':
      return new Redis({ ...options, host: connection.host, port: connection.port });
    case 'socket':
      return new Redis({ ...options, path: connection.path });
    case 'sentinel': {
      const { username, password } = connection.sentinelLogin;
      return new Redis({
        ...options,
        sentinels: [...connection.sentinels],
        name: connection.masterName,
        ...(username === undefined ? {} : { sentinelUsername: username }),
        ...(password === undefined ? {} : { sentinelPassword: password }),
        enableTLSForSentinelMode: connection.tls,
        // The sentinels are what `rediss://` names; without this they would be asked in the clear.
        ...(connection.tls ? { sentinelTLS: tlsOptions(connection) } : {}),
        failoverDetector: true,
        Connector: SentinelConnector,
        // One that takes connections and never answers would hold up the search for ever. As long as for an address that
        // takes none: the time covers the connection and the greeting too, and slow sentinels must be heard.
        sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
        sentinelRetryStrategy: reconnectDelay,
      });
    }
    case 'cluster': {
      return new Cluster([...connection.nodes], {
        enableOfflineQueue: options.enableOfflineQueue ?? true,
        clusterRetryStrategy: reconnectDelay,
        slotsRefreshTimeout: 2_000,
        maxRedirections: clusterTries[role],
        // A node that lost its role says where to go: no need for another connection to it.
        redisOptions: { ...options, reconnectOnError: null },
        ...(connection.tls ? { dnsLookup: (address, callback) => callback(null, address) } : {}),
      });
    }
  }
}

function login(connection: RedisConnection): RedisOptions {
  if (connection.kind === 'socket') return {};
  return {
    db: connection.kind === 'cluster' ? 0 : connection.database,
    ...(connection.username === undefined ? {} : { username: connection.username }),
    ...(connection.password === undefined ? {} : { password: connection.password }),
    ...(connection.tls ? { tls: tlsOptions(connection) } : {}),
  };
}

/** Of this connection alone: whatever else the process connects to is checked as ever. */
function tlsOptions(connection: Exclude<RedisConnection, { kind: 'socket' }>): ConnectionOptions {
  return {
    // The name that the server is asked for (SNI) must not be an address.
    ...(connection.kind === 'single' && isIP(connection.host) === 0 ? { servername: connection.host } : {}),
    ...(connection.ca === undefined ? {} : { ca: connection.ca }),
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

/** Resolves once the connection can take commands; false when it cannot within `timeoutMs`, or was closed. */
export async function isReadyWithin(client: RedisClient, timeoutMs: number): Promise<boolean> {
  if (client.status === 'ready') return true;
  if (client.status === 'end') return false;
  return new Promise((resolve) => {
    const finish = (ready: boolean): void => {
      clearTimeout(timer);
      client.off('ready', onReady);
      client.off('end', onEnd);
      resolve(ready);
    };
    const onReady = (): void => finish(true);
    const onEnd = (): void => finish(false);
    const timer = setTimeout(() => finish(false), timeoutMs);
    client.once('ready', onReady);
    client.once('end', onEnd);
  });
}

/** Ends a connection: politely within a second, else at once. A paused server must not hold up a shutdown. */
export async function closeRedis(client: RedisClient): Promise<void> {
  if (client.status === 'end') return;
  if (client.status === 'ready') await withinMs(1_000, client.quit(), undefined).catch(() => undefined);
  client.disconnect();
}
