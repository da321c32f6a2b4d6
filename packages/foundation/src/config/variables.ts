import { resolve } from 'node:path';
import { readApiKey, readOrigin, readTrustProxy } from './access-settings.js';
import { readCloudinaryUrl, readWebhookSecret } from './host-settings.js';
import * as read from './read-variable.js';
import { parseUrl, problemsOf, unusable, type Read } from './read-variable.js';
import { readAuthorities, readNode, readRedisUrl, readUpstashHost } from './redis-settings.js';

/** What a server can confirm of a write, from weak to strong. */
export const durabilityLevels = ['written', 'fsynced', 'replicated'] as const;
/** written: the server accepted it; fsynced: it is on its disk; replicated: enough replicas have it. */
export type DurabilityLevel = (typeof durabilityLevels)[number];

/** Whether less was confirmed than is required; without a requirement every level suffices. */
export function isBelow(level: DurabilityLevel, required: DurabilityLevel | undefined): boolean {
  return required !== undefined && durabilityLevels.indexOf(level) < durabilityLevels.indexOf(required);
}

/** Kinds of Redis server that are treated differently; `redisProfiles` of the redis feature says how. */
export type RedisProfileName = NonNullable<Variables['redis']['profile']>;

type Entry = readonly [variable: string, read: Read<unknown>, fallback?: string];
type Table = Readonly<{ [name: string]: Entry | Table }>;

/**
 * Every variable that Holdfast reads, at its place in the settings: its name, what reads it, and its default as an operator would write it.
 */
export const variables = {
  http: {
    // As in an address: [::1].
    host: ['HOST', (host) => host.replace(/^\[(.*)\]$/, '$1'), '127.0.0.1'],
    port: ['PORT', read.wholeNumber(0, 65_535), '3000'],
    publicUrl: ['PUBLIC_URL', readPublicUrl],
  },
  /** Health and metrics of the worker; without a port there are none. */
  worker: { port: ['WORKER_PORT', read.wholeNumber(0, 65_535)] },
  dataDir: ['DATA_DIR', (folder) => resolve(folder), 'data'],
  log: {
    /** Events below it are dropped; `silent` drops all. */
    level: ['LOG_LEVEL', read.oneOf(['debug', 'info', 'warn', 'error', 'silent']), 'info'],
    /** One JSON object a line, or text for people at a terminal. */
    format: ['LOG_FORMAT', read.oneOf(['json', 'pretty']), 'json'],
  },
  shutdownTimeoutMs: ['SHUTDOWN_TIMEOUT_SECONDS', read.seconds(1, 600), '20'],
  allowAnonymous: ['ALLOW_ANONYMOUS', read.flag, 'false'],
  access: {
    /** Without any, everyone may do everything. */
    keys: ['API_KEYS', read.filledList(readApiKey), ''],
    /** Whether media may be read without a key. */
    publicRead: ['PUBLIC_READ', read.flag, 'false'],
    /** Origins whose pages may call the API; `*` = all, none = no CORS headers at all. */
    corsOrigins: ['CORS_ORIGINS', read.list(readOrigin), ''],
    /** Express' `trust proxy` value. */
    trustProxy: ['TRUST_PROXY', readTrustProxy, 'false'],
    /** Writes a minute per key (per address without keys); 0 = no limit. */
    rateLimitPerMinute: ['RATE_LIMIT_PER_MINUTE', read.wholeNumber(0, 1_000_000), '0'],
  },
  /** What `readRedisSettings` makes one connection of. */
  redis: {
    url: ['REDIS_URL', readRedisUrl],
    upstashHost: ['UPSTASH_REDIS_REST_URL', readUpstashHost],
    upstashToken: ['UPSTASH_REDIS_REST_TOKEN', read.text],
    sentinels: ['REDIS_SENTINELS', read.filledList(readNode), ''],
    sentinelName: ['REDIS_SENTINEL_NAME', read.text],
    sentinelUsername: ['REDIS_SENTINEL_USERNAME', read.text],
    sentinelPassword: ['REDIS_SENTINEL_PASSWORD', read.text],
    clusterNodes: ['REDIS_CLUSTER_NODES', read.filledList(readNode), ''],
    prefix: [
      'REDIS_PREFIX',
      read.matching(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1-64 letters, digits, dots, dashes or underscores'),
      'holdfast',
    ],
    tlsCa: ['REDIS_TLS_CA', readAuthorities],
    tlsVerify: ['REDIS_TLS_VERIFY', read.flag, 'true'],
    profile: ['REDIS_PROFILE', read.oneOf(['standard', 'upstash'])],
    /** The address of the embedded server, which the launcher sets for its children. */
    embedded: ['HOLDFAST_EMBEDDED_REDIS', readRedisUrl],
  },
  /** What `readHosts` makes the media host of. */
  cloudinary: {
    access: ['CLOUDINARY_URL', readCloudinaryUrl],
    cloudName: ['CLOUDINARY_CLOUD_NAME', read.text],
    apiKey: ['CLOUDINARY_API_KEY', read.text],
    apiSecret: ['CLOUDINARY_API_SECRET', read.text],
    /** Of our own assets; also the name of this deployment on the host. */
    folder: [
      'CLOUDINARY_FOLDER',
      read.matching(
        /^(?!.{101})[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/,
        'must be folder names of letters, digits, - and _, separated by /, at most 100 characters',
      ),
      'holdfast',
    ],
    /** Only assets below it are synced besides our own; empty = all. */
    syncPrefix: ['CLOUDINARY_SYNC_PREFIX', read.text, ''],
    /** Further secrets that notifications may be signed with. */
    webhookSecrets: ['CLOUDINARY_WEBHOOK_SECRETS', read.list(readWebhookSecret), ''],
    /** Read only by the command `move`. */
    earlier: ['MOVE_FROM_CLOUDINARY_URL', readCloudinaryUrl],
  },
  uploads: {
    /** Of one file. */
    maxBytes: ['UPLOAD_MAX_BYTES', read.wholeNumber(1, 100_000_000_000), '100000000'],
    /** Uploads at once in one API; further ones get OVERLOADED. */
    maxConcurrent: ['UPLOAD_MAX_CONCURRENT', read.wholeNumber(1, 10_000), '128'],
    /** Jobs waiting or delayed in `save` and `verify` above which uploads get OVERLOADED. */
    maxBacklog: ['QUEUE_MAX_BACKLOG', read.wholeNumber(1, 10_000_000), '100000'],
    /** Media types such as `image/png` or `image/*`. */
    allowedTypes: [
      'UPLOAD_ALLOWED_TYPES',
      read.filledList(
        read.matching(
          /^(\*\/\*|[a-z]+\/(\*|[a-z0-9.+-]+))$/,
          'must be a media type such as image/png or image/*',
        ),
      ),
      'image/*,video/*,audio/*,application/pdf',
    ],
  },
  jobs: {
    /** Tries of each job, the first included. */
    attempts: ['SAVE_ATTEMPTS', read.wholeNumber(1, 100), '3'],
    /** First pause between two tries; doubled each time, with jitter. */
    backoffMs: ['SAVE_BACKOFF_MS', read.wholeNumber(1, 600_000), '1000'],
    /** Jobs of `save` at once in one worker; `verify` takes a multiple of it, `sync` one. */
    concurrency: ['WORKER_CONCURRENCY', read.wholeNumber(1, 1_000), '16'],
  },
  durability: {
    /** Below it a record stays unverified (DURABILITY_TOO_LOW); undefined = every level suffices. */
    required: ['DURABILITY_REQUIRED', read.oneOf(durabilityLevels)],
    /** Replicas that must confirm before a record counts as replicated; 0 = none. */
    replicas: ['DURABILITY_REPLICAS', read.wholeNumber(0, 100)],
  },
  sync: {
    /** 0 = no schedule. */
    intervalMinutes: ['AUTO_SYNC_INTERVAL_MINUTES', read.wholeNumber(0, 10_080), '15'],
    /** Whether a worker requests a sync `startupDelayMs` after it starts. */
    onStartup: ['AUTO_SYNC_ON_STARTUP', read.flag, 'true'],
    startupDelayMs: ['AUTO_SYNC_STARTUP_DELAY_SECONDS', read.seconds(0, 3_600), '30'],
    /** Delay from a verified upload to the sync that covers it; null = by the kind of Redis. */
    afterUploadDelayMs: ['AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS', read.seconds(0, 3_600)],
    /** A scheduled or start-up run is full if the last full one began this long ago. */
    fullIntervalHours: ['AUTO_SYNC_FULL_INTERVAL_HOURS', read.wholeNumber(1, 8_760), '24'],
    /** Whether snapshots of the catalog, and deletions since, are kept on the host and restored from there. */
    snapshots: ['CATALOG_SNAPSHOT', read.flag, 'true'],
  },
} as const satisfies Table;

type ValuesOf<T> = {
  [Name in keyof T]: T[Name] extends readonly [string, Read<infer Value>, string?]
    ? Value | (T[Name]['length'] extends 2 ? undefined : never)
    : ValuesOf<T[Name]>;
};
export type Variables = ValuesOf<typeof variables>;

const isEntry = (entry: Entry | Table): entry is Entry => Array.isArray(entry);
const entriesOf = (table: Table): Entry[] =>
  Object.values(table).flatMap((entry) => (isEntry(entry) ? [entry] : entriesOf(entry)));

/** The defaults by the names of the variables; undefined where there is none. */
export const defaults: Readonly<Record<string, string | undefined>> = Object.fromEntries(
  entriesOf(variables).map(([variable, , fallback]) => [variable, fallback]),
);

/** Whether a variable is set, also where it cannot be read. */
export type IsSet = (variable: string) => boolean;
/** Notes a problem of a variable. */
export type Report = (variable: string, message: string) => void;

/** The value of every setting. One that cannot be read is a problem, and has its default. */
export function readVariables(given: Readonly<Record<string, string>>, problem: Report): Variables {
  const valueOf = (entry: Entry | Table): unknown => {
    if (!isEntry(entry))
      return Object.fromEntries(Object.entries(entry).map(([name, inner]) => [name, valueOf(inner)]));
    const [variable, parse, fallback] = entry;
    let value = fallback === undefined ? undefined : parse(fallback);
    const set = given[variable];
    if (set !== undefined)
      for (const message of problemsOf(() => void (value = parse(set)))) problem(variable, message);
    return value;
  };
  return valueOf(variables) as Variables;
}

function readPublicUrl(value: string): string {
  if (!/^https?:$/.test(parseUrl(value)?.protocol ?? '')) throw unusable('must be an http or https URL');
  // The addresses of files begin with it, and everybody who may read sees those.
  if (/[@?#]/.test(value)) throw unusable('must have no login, query or fragment');
  return value.replace(/\/+$/, '');
}
