import { fromRedisError, redisRefusal, type RedisClient } from '../redis/index.js';

/** Programs that speak the protocol of Redis. */
export type ServerKind = 'redis' | 'valkey' | 'upstash' | 'dragonfly' | 'keydb';

/**
 * Fields of INFO that name another program than Redis, and where its own version is. KeyDB has none for its name and
 * counts versions of values, which the others do not (https://github.com/Snapchat/KeyDB).
 */
const otherKinds: readonly (readonly [field: string, server: ServerKind, version: string])[] = [
  ['valkey_version', 'valkey', 'valkey_version'],
  ['upstash_version', 'upstash', 'upstash_version'],
  ['dragonfly_version', 'dragonfly', 'dragonfly_version'],
  ['mvcc_depth', 'keydb', 'redis_version'],
];

/** What the server says of itself; null where it does not let us see. */
export interface ServerFacts {
  server: ServerKind;
  version: string;
  runId: string;
  role: string | null;
  aofEnabled: boolean | null;
  /** `always`, `everysec` or `no`. */
  fsyncPolicy: string | null;
  /** RDB snapshot schedule, empty when off. */
  snapshotSchedule: string | null;
  evictionPolicy: string | null;
  usedMemory: number | null;
  maxMemory: number | null;
  lastAofWriteOk: boolean | null;
  lastSnapshotOk: boolean | null;
  connectedReplicas: number | null;
  /** Connections that the server has now, of everybody, and how many it allows. */
  connectedClients: number | null;
  maxClients: number | null;
}

/** Of a server that does not answer INFO. */
export const UNKNOWN_VERSION = 'unknown';

const names: Record<ServerKind, string> = {
  redis: 'Redis',
  valkey: 'Valkey',
  upstash: 'Upstash',
  dragonfly: 'Dragonfly',
  keydb: 'KeyDB',
};

/** For people: `Valkey 8.1.1`. */
export function serverName({ server, version }: Pick<ServerFacts, 'server' | 'version'>): string {
  return version === UNKNOWN_VERSION ? 'Redis (it hides its version)' : `${names[server]} ${version}`;
}

/** One INFO and one CONFIG GET; a refusal of either is a fact, not an error. Throws CATALOG_UNAVAILABLE. */
export async function readServerFacts(redis: RedisClient): Promise<ServerFacts> {
  const info = parseInfo(await askOrRefused(() => redis.call('INFO')));
  const config = parseConfig(await askOrRefused(() => readConfig(redis)));
  const flag = (name: string): boolean | null => (info.has(name) ? info.get(name) === '1' : null);
  const ok = (name: string): boolean | null => (info.has(name) ? info.get(name) === 'ok' : null);
  const number = (name: string): number | null => (info.has(name) ? Number(info.get(name)) : null);
  const [, server, versionField] = otherKinds.find(([field]) => info.has(field)) ?? [
    '',
    'redis' as const,
    'redis_version',
  ];
  return {
    server,
    version: info.get(versionField) ?? UNKNOWN_VERSION,
    runId: info.get('run_id') ?? '',
    role: info.get('role') ?? null,
    aofEnabled: flag('aof_enabled') ?? (config.has('appendonly') ? config.get('appendonly') === 'yes' : null),
    fsyncPolicy: config.get('appendfsync') ?? null,
    snapshotSchedule: config.get('save') ?? null,
    evictionPolicy: info.get('maxmemory_policy') ?? config.get('maxmemory-policy') ?? null,
    // Where there are two limits memory is a cache, and that of the data is the one that refuses writes (docs/redis.md, Upstash).
    usedMemory: number('total_data_size') ?? number('used_memory'),
    maxMemory: number('max_data_size') ?? number('maxmemory'),
    lastAofWriteOk: ok('aof_last_write_status'),
    lastSnapshotOk: ok('rdb_last_bgsave_status'),
    connectedReplicas: number('connected_slaves'),
    connectedClients: number('connected_clients'),
    maxClients: number('maxclients'),
  };
}

const settingNames = ['appendfsync', 'save', 'maxmemory-policy', 'appendonly'];

async function readConfig(redis: RedisClient): Promise<unknown> {
  try {
    return await redis.call('CONFIG', 'GET', ...settingNames);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes('wrong number of arguments')) throw error;
    // Redis before 7 and KeyDB tell one at a time.
    const replies = await Promise.all(settingNames.map((name) => redis.call('CONFIG', 'GET', name)));
    return replies.flat();
  }
}

async function askOrRefused(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return await ask();
  } catch (error) {
    // Managed servers refuse with NOPERM or "unknown command". A spent plan refuses everything, and so says nothing of it.
    const isSpent = ['quota', 'connections'].includes(redisRefusal(error) ?? '');
    if (!isSpent && error instanceof Error && /^(?:NOPERM|ERR )/.test(error.message)) return undefined;
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}

function parseInfo(reply: unknown): Map<string, string> {
  const lines = typeof reply === 'string' ? reply.split('\r\n') : [];
  return new Map(
    lines
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

/** A flat list of names and values. */
function parseConfig(reply: unknown): Map<string, string> {
  const flat = Array.isArray(reply) ? reply.map(String) : [];
  return new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ''] as const] : [])));
}
