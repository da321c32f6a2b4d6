import { resolve } from 'node:path';
import { HoldfastError, type FieldProblem } from '../errors/index.js';
import { isLoopback } from './access-settings.js';
import { readHosts } from './host-settings.js';
import { withoutEmpty, type Environment } from './read-variable.js';
import { readRedisSettings } from './redis-settings.js';
import { unreadSettings } from './unread-settings.js';
import { variables, type IsSet, type Report, type Variables } from './variables.js';

/** All settings of both processes, read once and frozen. Durations carry their unit in the name. */
export type Settings = ReturnType<typeof compose>;
export type AccessSettings = Settings['access'];
export type UploadSettings = Settings['uploads'];
export type JobSettings = Settings['jobs'];
export type DurabilitySettings = Settings['durability'];
export type SyncSettings = Settings['sync'];

/** Reads and checks every variable. Throws CONFIG_INVALID with all problems at once, none of which repeats a value. */
export function readSettings(env: Environment): Settings {
  return read(env, () => undefined);
}

/** As `readSettings`, where an API is to start: one that a network could use without any key is a problem too. */
export function readServingSettings(env: Environment): Settings {
  return read(env, ({ access, allowAnonymous, http }, isSet, problem) => {
    // Keys that cannot be used are named already.
    if (access.keys.length > 0 || isSet('API_KEYS') || allowAnonymous || isLoopback(http.host)) return;
    problem('API_KEYS', 'is required unless HOST is a loopback address (or set ALLOW_ANONYMOUS=true)');
  });
}

function read(
  env: Environment,
  alsoCheck: (settings: Settings, isSet: IsSet, problem: Report) => void,
): Settings {
  const given = withoutEmpty(env);
  const parsed = variables.safeParse(given);
  const problems: FieldProblem[] = (parsed.error?.issues ?? []).map(({ path, message }) => ({
    path: path.join('.'),
    message,
  }));
  const unreadable = new Set(problems.map(({ path }) => path));
  // The rest is checked with defaults in place of what was wrong, so that all problems are reported together.
  const usable =
    parsed.data ??
    variables.parse(Object.fromEntries(Object.entries(given).filter(([name]) => !unreadable.has(name))));
  const isSet: IsSet = (name) => name in given;
  const problem: Report = (path, message) => void problems.push({ path, message });
  const settings = compose(usable, isSet, problem);
  alsoCheck(settings, isSet, problem);
  if (problems.length === 0) return deepFreeze(settings);
  // What is missing may be there under a wrong name.
  for (const { name, meant } of unreadSettings(env))
    problems.push({ path: name, message: `is not a setting; did you mean ${meant}?` });
  throw new HoldfastError('CONFIG_INVALID', undefined, { errors: problems });
}

function compose(env: Variables, isSet: IsSet, problem: Report) {
  const redis = readRedisSettings(env, isSet, problem);
  const isReplicated = redis.connection.kind === 'sentinel' || redis.connection.kind === 'cluster';
  return {
    http: { host: env.HOST, port: env.PORT, publicUrl: env.PUBLIC_URL },
    /** Health and metrics of the worker; without a port there are none. */
    worker: { port: env.WORKER_PORT },
    dataDir: resolve(env.DATA_DIR),
    log: { level: env.LOG_LEVEL, format: env.LOG_FORMAT },
    shutdownTimeoutMs: env.SHUTDOWN_TIMEOUT_SECONDS * 1_000,
    allowAnonymous: env.ALLOW_ANONYMOUS,
    access: {
      /** Without any, everyone may do everything. */
      keys: env.API_KEYS,
      /** Whether media may be read without a key. */
      publicRead: env.PUBLIC_READ,
      /** Origins whose pages may call the API; `*` = all, none = no CORS headers at all. */
      corsOrigins: env.CORS_ORIGINS,
      /** Express' `trust proxy` value. */
      trustProxy: env.TRUST_PROXY,
      /** Writes a minute per key (per address without keys); 0 = no limit. */
      rateLimitPerMinute: env.RATE_LIMIT_PER_MINUTE,
    },
    redis,
    ...readHosts(env, isSet, problem),
    uploads: {
      /** Of one file. */
      maxBytes: env.UPLOAD_MAX_BYTES,
      /** Uploads at once in one API; further ones get OVERLOADED. */
      maxConcurrent: env.UPLOAD_MAX_CONCURRENT,
      /** Jobs waiting or delayed in `save` and `verify` above which uploads get OVERLOADED. */
      maxBacklog: env.QUEUE_MAX_BACKLOG,
      /** Media types such as `image/png` or `image/*`. */
      allowedTypes: env.UPLOAD_ALLOWED_TYPES,
    },
    jobs: {
      /** Tries of each job, the first included. */
      attempts: env.SAVE_ATTEMPTS,
      /** First pause between two tries; doubled each time, with jitter. */
      backoffMs: env.SAVE_BACKOFF_MS,
      /** Jobs of `save` at once in one worker; `verify` takes a multiple of it, `sync` one. */
      concurrency: env.WORKER_CONCURRENCY,
    },
    durability: {
      /** Below it a record stays unverified (DURABILITY_TOO_LOW); undefined = every level suffices. */
      required: env.DURABILITY_REQUIRED,
      /** Replicas that must confirm before a record counts as replicated; 0 = none. */
      replicas: env.DURABILITY_REPLICAS ?? Number(isReplicated),
    },
    sync: {
      /** 0 = no schedule. */
      intervalMinutes: env.AUTO_SYNC_INTERVAL_MINUTES,
      /** Whether a worker requests a sync `startupDelayMs` after it starts. */
      onStartup: env.AUTO_SYNC_ON_STARTUP,
      startupDelayMs: env.AUTO_SYNC_STARTUP_DELAY_SECONDS * 1_000,
      /** Delay from a verified upload to the sync that covers it; null = by the kind of Redis. */
      afterUploadDelayMs:
        env.AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS === undefined
          ? null
          : env.AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS * 1_000,
      /** A scheduled or start-up run is full if the last full one began this long ago. */
      fullIntervalHours: env.AUTO_SYNC_FULL_INTERVAL_HOURS,
      /** Whether snapshots of the catalog, and deletions since, are kept on the host and restored from there. */
      snapshots: env.CATALOG_SNAPSHOT,
    },
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value) && !ArrayBuffer.isView(value)) {
    Object.freeze(value);
    for (const entry of Object.values(value)) deepFreeze(entry);
  }
  return value;
}
