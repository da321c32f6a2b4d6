import { resolve } from 'node:path';
import { HoldfastError, isHoldfastError, type FieldProblem } from '../errors/index.js';
import type { LoggingSettings } from '../logging/index.js';
import { isLoopback, ofEntry, readAccessSettings, type AccessSettings } from './access-settings.js';
import { readHostSettings, type HostSettings } from './host-settings.js';
import { readRedisSettings, type RedisSettings } from './redis-settings.js';
import { unreadSettings } from './unread-settings.js';
import {
  variables,
  withoutEmpty,
  type DurabilityLevel,
  type Environment,
  type Variables,
} from './variables.js';

/** Which uploads are accepted, and how many at once. */
export interface UploadSettings {
  /** Of one file. */
  maxBytes: number;
  /** Uploads at once in one API; further ones get OVERLOADED. */
  maxConcurrent: number;
  /** Jobs waiting or delayed in `save` and `verify` above which uploads get OVERLOADED. */
  maxBacklog: number;
  /** Media types such as `image/png` or `image/*`. */
  allowedTypes: readonly string[];
}

/** How jobs are tried, and how many at once. */
export interface JobSettings {
  /** Tries of each job, the first included. */
  attempts: number;
  /** First pause between two tries; doubled each time, with jitter. */
  backoffMs: number;
  /** Jobs of `save` at once in one worker; `verify` takes a multiple of it, `sync` one. */
  concurrency: number;
}

/** What the Redis server must confirm before a record counts as verified. */
export interface DurabilitySettings {
  /** Below it a record stays unverified (DURABILITY_TOO_LOW); undefined = every level suffices. */
  required: DurabilityLevel | undefined;
  /** Replicas that must confirm before a record counts as replicated; 0 = none. */
  replicas: number;
}

/** When syncs start by themselves, and what they leave on the host. */
export interface SyncSettings {
  /** 0 = no schedule. */
  intervalMinutes: number;
  /** Whether a worker requests a sync `startupDelayMs` after it starts. */
  onStartup: boolean;
  startupDelayMs: number;
  /** Delay from a verified upload to the sync that covers it; null = by the kind of Redis. */
  afterUploadDelayMs: number | null;
  /** A scheduled or start-up run is full if the last full one began this long ago. */
  fullIntervalHours: number;
  /** Whether snapshots of the catalog, and deletions since, are kept on the host and restored from there. */
  snapshots: boolean;
}

/** All settings of both processes, read once and frozen. Durations carry their unit in the name. */
export interface Settings {
  http: { host: string; port: number; publicUrl: string | undefined };
  worker: { port: number | undefined };
  dataDir: string;
  log: LoggingSettings;
  shutdownTimeoutMs: number;
  allowAnonymous: boolean;
  access: AccessSettings;
  redis: RedisSettings;
  host: HostSettings;
  uploads: UploadSettings;
  jobs: JobSettings;
  durability: DurabilitySettings;
  sync: SyncSettings;
}

/** Reads and checks every variable. Throws CONFIG_INVALID with all problems at once, none of which repeats a value. */
export function readSettings(env: Environment): Settings {
  return readWith(env, () => undefined);
}

/** As `readSettings`, where an API is to start: one that a network could use without any key is a problem too. */
export function readServingSettings(env: Environment): Settings {
  return readWith(env, (settings, problem, known) => {
    // Keys that cannot be used are named already.
    if (known.some(({ path }) => path === 'API_KEYS') || !isOpenToNetwork(settings)) return;
    problem({
      path: 'API_KEYS',
      message: 'is required unless HOST is a loopback address (or set ALLOW_ANONYMOUS=true)',
    });
  });
}

/**
 * The host that the command `move` copies from: the local one as if no Cloudinary were configured, or the account that
 * MOVE_FROM_CLOUDINARY_URL names. Throws CONFIG_INVALID.
 */
export function readMoveSource(env: Environment, from: 'local' | 'cloudinary'): HostSettings {
  const path = 'MOVE_FROM_CLOUDINARY_URL';
  const { [path]: source, ...rest } = env;
  const others = Object.fromEntries(Object.entries(rest).filter(([name]) => !namesAccount.has(name)));
  if (from === 'local') return readSettings(others).host;
  if (source === undefined || source === '')
    throw invalid([{ path, message: 'is required: the account to copy from' }]);
  try {
    return readSettings({ ...others, CLOUDINARY_URL: source }).host;
  } catch (error) {
    const errors = isHoldfastError(error, 'CONFIG_INVALID') ? (error.errors ?? []) : [];
    const own = errors.find((problem) => problem.path === 'CLOUDINARY_URL');
    throw own === undefined ? error : invalid([{ path, message: own.message }]);
  }
}

const namesAccount: ReadonlySet<string> = new Set([
  'CLOUDINARY_URL',
  'CLOUDINARY_CLOUD_NAME',
  'CLOUDINARY_API_KEY',
  'CLOUDINARY_API_SECRET',
]);

function invalid(errors: readonly FieldProblem[]): HoldfastError {
  return new HoldfastError('CONFIG_INVALID', undefined, { errors });
}

type AlsoCheck = (
  settings: Settings,
  problem: (p: FieldProblem) => void,
  known: readonly FieldProblem[],
) => void;

function readWith(env: Environment, alsoCheck: AlsoCheck): Settings {
  const problems: FieldProblem[] = [];
  const problem = (p: FieldProblem): void => {
    problems.push(p);
  };
  const given = withoutEmpty(env);
  const parsed = variables.safeParse(given);
  for (const issue of parsed.error?.issues ?? [])
    problem({ path: issue.path.join('.'), message: issue.message });
  // The rest is checked with defaults in place of what was wrong, so that all problems are reported together.
  const usable =
    parsed.data ??
    variables.parse(
      Object.fromEntries(Object.entries(given).filter(([name]) => !problems.some((p) => p.path === name))),
    );
  const settings = compose(usable, problem);
  alsoCheck(settings, problem, problems);
  if (problems.length === 0) return deepFreeze(settings);
  // What is missing may be there under a wrong name.
  for (const { name, meant } of unreadSettings(env))
    problem({ path: name, message: `is not a setting; did you mean ${meant}?` });
  throw invalid(problems);
}

function compose(env: Variables, problem: (p: FieldProblem) => void): Settings {
  const redis = readRedisSettings(env, problem);
  const replicated = redis.connection.kind === 'sentinel' || redis.connection.kind === 'cluster';
  const replicas = env.DURABILITY_REPLICAS >= 0 ? env.DURABILITY_REPLICAS : replicated ? 1 : 0;
  return {
    http: { host: env.HOST, port: env.PORT, publicUrl: env.PUBLIC_URL?.replace(/\/+$/, '') },
    worker: { port: env.WORKER_PORT < 0 ? undefined : env.WORKER_PORT },
    dataDir: resolve(env.DATA_DIR),
    log: { level: env.LOG_LEVEL, format: env.LOG_FORMAT },
    shutdownTimeoutMs: env.SHUTDOWN_TIMEOUT_SECONDS * 1_000,
    allowAnonymous: env.ALLOW_ANONYMOUS,
    access: readAccessSettings(env, problem),
    redis,
    host: readHostSettings(env, problem),
    uploads: {
      maxBytes: env.UPLOAD_MAX_BYTES,
      maxConcurrent: env.UPLOAD_MAX_CONCURRENT,
      maxBacklog: env.QUEUE_MAX_BACKLOG,
      allowedTypes: readTypes(env.UPLOAD_ALLOWED_TYPES, problem),
    },
    jobs: {
      attempts: env.SAVE_ATTEMPTS,
      backoffMs: env.SAVE_BACKOFF_MS,
      concurrency: env.WORKER_CONCURRENCY,
    },
    durability: {
      required: env.DURABILITY_REQUIRED,
      replicas,
    },
    sync: {
      intervalMinutes: env.AUTO_SYNC_INTERVAL_MINUTES,
      onStartup: env.AUTO_SYNC_ON_STARTUP,
      startupDelayMs: env.AUTO_SYNC_STARTUP_DELAY_SECONDS * 1_000,
      afterUploadDelayMs:
        env.AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS === -1
          ? null
          : env.AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS * 1_000,
      fullIntervalHours: env.AUTO_SYNC_FULL_INTERVAL_HOURS,
      snapshots: env.CATALOG_SNAPSHOT,
    },
  };
}

function isOpenToNetwork({ access, allowAnonymous, http }: Settings): boolean {
  return access.keys.length === 0 && !allowAnonymous && !isLoopback(http.host);
}

function readTypes(types: readonly string[], problem: (p: FieldProblem) => void): readonly string[] {
  for (const [index, type] of types.entries()) {
    if (!/^(\*\/\*|[a-z]+\/(\*|[a-z0-9.+-]+))$/.test(type))
      problem(ofEntry('UPLOAD_ALLOWED_TYPES', index, 'must be a media type such as image/png or image/*'));
  }
  return types;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value) && !ArrayBuffer.isView(value)) {
    Object.freeze(value);
    for (const entry of Object.values(value)) deepFreeze(entry);
  }
  return value;
}
