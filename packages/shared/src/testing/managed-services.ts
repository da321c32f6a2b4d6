import type { ManagedService } from './managed-proxy.js';

/** The same reply to each of these commands; `?` stands for the command. */
const each = (commands: string, reply: string): Record<string, string> =>
  Object.fromEntries(commands.split(' ').map((command) => [command, reply.replace('?', command)]));

/** Keeps the fields whose names match, by section of INFO; other sections show their heading only, as on Upstash. */
const infoOf =
  (kept: Readonly<Record<string, RegExp>>, more: Readonly<Record<string, string>> = {}) =>
  (text: string): string => {
    const sections = text.split(/^(?=# )/m).map((section) => {
      const [heading = '', ...lines] = section.trimEnd().split('\r\n');
      const name = heading.slice(2);
      const shown = lines.filter((line) => kept[name]?.test(line));
      return [heading, ...shown, ...(more[name] === undefined ? [] : [more[name]]), ''].join('\r\n');
    });
    return sections.join('\r\n');
  };

const upstashHelp = (page: string): string =>
  `See https://upstash.com/docs/redis/troubleshooting/${page} for details`;

/** Refusals in the words of Upstash. */
export const upstashErrors = {
  quota: `ERR max requests limit exceeded. Limit: 500000, Usage: 500000. ${upstashHelp('max_requests_limit')}`,
  full: `ERR DB capacity quota exceeded. Threshold: 268435456 bytes, Usage: 268447091 bytes. ${upstashHelp('db_capacity_quota_exceeded')}`,
  size: `ERR max request size exceeded. Limit: 10485760 bytes, Actual: 11245919 bytes. ${upstashHelp('max_request_size_exceeded')}`,
  connections: 'ERR max concurrent connections exceeded',
} as const;

const upstash: Partial<ManagedService> = {
  answers: {
    'CONFIG GET': '*0',
    COMMAND: '*0',
    ...each(
      'ROLE CLUSTER OBJECT SLOWLOG LATENCY LASTSAVE SAVE BGSAVE SORT MIGRATE',
      "-ERR Command is not available: '?'. See https://upstash.com/docs/redis/overall/rediscompatibility for details",
    ),
    ...each('CONFIG', '-ERR Unsupported CONFIG parameter'),
  },
  info: infoOf(
    {
      Server: /^redis_mode/,
      Clients: /^connected_clients/,
      Memory: /^used_memory:/,
      Cluster: /^cluster_enabled/,
    },
    {
      Server: 'upstash_version:1.13.3\r\nredis_version:6.2.6',
      Clients: 'maxclients:10000',
      // Of the cache: the limit that refuses writes is max_data_size.
      Memory: 'maxmemory:67108864\r\nmaxmemory_policy:noeviction',
      Persistence: 'total_keys:10\r\ntotal_data_size:20480\r\nmax_data_size:268435456',
    },
  ),
  requestBytes: { limit: 10 * 1024 * 1024, error: upstashErrors.size },
};

/** Services as they document themselves, else as their users report; each with the least that it promises. */
export const managedServices = {
  upstashFree: upstash,
  /** Paid: every read may come from a replica. */
  upstashGlobal: { ...upstash, readsLagMs: 500, latencyMs: 30 },
  redisCloud: {
    answers: {
      ...each('ROLE CLUSTER LASTSAVE BGSAVE WAIT SELECT', "-ERR unknown command '?'"),
      ...each('CONFIG', '-ERR Unsupported CONFIG parameter'),
    },
    connections: { limit: 30, error: 'ERR max number of clients reached' },
  },
  azure: {
    answers: each('CONFIG ROLE BGSAVE BGREWRITEAOF DEBUG MIGRATE SAVE', "-ERR unknown command '?'"),
    idleMs: 600_000,
  },
  elastiCache: {
    answers: each(
      'CONFIG BGSAVE BGREWRITEAOF DEBUG MIGRATE SAVE WAITAOF',
      "-ERR unknown command '?', with args beginning with: ",
    ),
  },
  aiven: {
    answers: each(
      'CONFIG ROLE ACL CLUSTER COMMAND BGSAVE DEBUG LASTSAVE MONITOR',
      "-NOPERM User default has no permissions to run the '?' command",
    ),
    idleMs: 300_000,
  },
  heroku: { connections: { limit: 20, error: 'ERR max number of clients reached' } },
} satisfies Record<string, Partial<ManagedService>>;
