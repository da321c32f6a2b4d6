import { fromRedisError, pairsOf, redisRefusal, type RedisClient } from '../redis/index.js';

/**
 * Programs that speak the protocol of Redis: the field of INFO that only they have, and the one with their own version. KeyDB has none
 * for its name and counts versions of values, which the others do not (https://github.com/Snapchat/KeyDB).
 */
const programs = {
  valkey: { name: 'Valkey', field: 'valkey_version', version: 'valkey_version' },
  upstash: { name: 'Upstash', field: 'upstash_version', version: 'upstash_version' },
  dragonfly: { name: 'Dragonfly', field: 'dragonfly_version', version: 'dragonfly_version' },
  keydb: { name: 'KeyDB', field: 'mvcc_depth', version: 'redis_version' },
  redis: { name: 'Redis', field: '', version: 'redis_version' },
} as const;

export type ServerKind = keyof typeof programs;

/** What the server says of itself; null where it does not let us see. */
export interface ServerFacts {
  server: ServerKind;
  version: string | null;
  /** Empty where the server hides it. */
  runId: string;
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

/** For people: `Valkey 8.1.1`. */
export function serverName({ server, version }: Pick<ServerFacts, 'server' | 'version'>): string {
  return version === null ? 'Redis (it hides its version)' : `${programs[server].name} ${version}`;
}

/**
 * Whether WAITAOF of this server confirms only what is on disk, as measured in docs/decisions/0003-what-verified-means.md. Valkey and
 * Redis before 8 confirm too early under `everysec`. Where the policy is hidden the same holds: it may be that one.
 */
export function confirmsTruly({ aofEnabled, fsyncPolicy, server, version }: ServerFacts): boolean {
  if (aofEnabled === false || fsyncPolicy === 'no') return false;
  if (fsyncPolicy === 'always') return true;
  // Upstash documents that WAITAOF confirms that a write has reached persistent storage.
  return server === 'upstash' || (server === 'redis' && Number.parseInt(version ?? '', 10) >= 8);
}

/** One INFO and one CONFIG GET; a refusal of either is a fact, not an error. Throws CATALOG_UNAVAILABLE. */
export async function readServerFacts(redis: RedisClient): Promise<ServerFacts> {
  const text = (await unlessHidden(() => redis.call('INFO') as Promise<string>)) ?? '';
  const info = new Map(
    [...text.matchAll(/^([^:\r\n]+):(.*?)\r?$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  const settings = await readSettings(redis);
  const flag = (name: string, on: string): boolean | null => (info.has(name) ? info.get(name) === on : null);
  const number = (name: string): number | null => (info.has(name) ? Number(info.get(name)) : null);
  const appendonly = settings.get('appendonly');
  const kinds = Object.keys(programs) as ServerKind[];
  const server = kinds.find((kind) => info.has(programs[kind].field)) ?? 'redis';
  return {
    server,
    version: info.get(programs[server].version) ?? null,
    runId: info.get('run_id') ?? '',
    aofEnabled: flag('aof_enabled', '1') ?? (appendonly === undefined ? null : appendonly === 'yes'),
    fsyncPolicy: settings.get('appendfsync') ?? null,
    snapshotSchedule: settings.get('save') ?? null,
    evictionPolicy: info.get('maxmemory_policy') ?? settings.get('maxmemory-policy') ?? null,
    // Where there are two limits memory is a cache, and that of the data is the one that refuses writes (docs/redis.md, Upstash).
    usedMemory: number('total_data_size') ?? number('used_memory'),
    maxMemory: number('max_data_size') ?? number('maxmemory'),
    lastAofWriteOk: flag('aof_last_write_status', 'ok'),
    lastSnapshotOk: flag('rdb_last_bgsave_status', 'ok'),
    connectedReplicas: number('connected_slaves'),
    connectedClients: number('connected_clients'),
    maxClients: number('maxclients'),
  };
}

const settingNames = ['appendfsync', 'save', 'maxmemory-policy', 'appendonly'];

async function readSettings(redis: RedisClient): Promise<Map<string, string>> {
  const ask = (...names: string[]): Promise<unknown> => redis.call('CONFIG', 'GET', ...names);
  const reply = await unlessHidden(async () => {
    try {
      return await ask(...settingNames);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('wrong number of arguments')) throw error;
      // Redis before 7 and KeyDB tell one at a time.
      return (await Promise.all(settingNames.map((name) => ask(name)))).flat();
    }
  });
  return new Map(pairsOf(Array.isArray(reply) ? reply.map(String) : null));
}

/** Undefined where the server refuses. */
async function unlessHidden<Reply>(ask: () => Promise<Reply>): Promise<Reply | undefined> {
  try {
    return await ask();
  } catch (error) {
    // Managed servers refuse with NOPERM or "unknown command". A spent plan refuses everything, and so says nothing of it.
    const isSpent = ['quota', 'connections'].includes(redisRefusal(error) ?? '');
    if (!isSpent && error instanceof Error && /^(?:NOPERM|ERR )/.test(error.message)) return undefined;
    throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
  }
}
