import { HoldfastError, nearestName, type FieldProblem } from '../errors/index.js';
import { isLoopback } from './access-settings.js';
import { accountVariables, readHosts } from './host-settings.js';
import { setVariables, type Environment } from './read-variable.js';
import { readRedisSettings, redisWays } from './redis-settings.js';
import { defaults, readVariables, type IsSet, type Report, type Variables } from './variables.js';

/** All settings of both processes, read once and frozen. Durations carry their unit in the name. */
export type Settings = ReturnType<typeof compose>;
export type UploadSettings = Settings['uploads'];
export type JobSettings = Settings['jobs'];
export type DurabilitySettings = Settings['durability'];
export type SyncSettings = Settings['sync'];

/** As `readSettings`, where an API is to start: one that a network could use without any key is a problem too. */
export const readServingSettings = (env: Environment): Settings => readSettings(env, true);

/** Reads and checks every variable. Throws CONFIG_INVALID with all problems at once, none of which repeats a value. */
export function readSettings(env: Environment, isToServe = false): Settings {
  const given = setVariables(env);
  const problems: FieldProblem[] = [];
  const isSet: IsSet = (variable) => variable in given;
  const problem: Report = (path, message) => void problems.push({ path, message });
  const settings = compose(readVariables(given, problem), isSet, problem);
  const isOpen = !settings.allowAnonymous && !isLoopback(settings.http.host);
  // Keys that cannot be used are named already.
  if (isToServe && isOpen && !isSet('API_KEYS'))
    problem('API_KEYS', 'is required unless HOST is a loopback address (or set ALLOW_ANONYMOUS=true)');
  if (problems.length === 0) return deepFreeze(settings);
  // What is missing may be there under a wrong name.
  for (const { name, meant } of unreadSettings(env))
    problems.push({ path: name, message: `is not a setting; did you mean ${meant}?` });
  throw new HoldfastError('CONFIG_INVALID', undefined, { errors: problems });
}

/** What is made of several variables, and all others as they are. */
function compose({ cloudinary, ...given }: Variables, isSet: IsSet, problem: Report) {
  const { durability, sync } = given;
  const redis = readRedisSettings(given.redis, isSet, problem);
  const isReplicated = redis.connection.kind === 'sentinel' || redis.connection.kind === 'cluster';
  return {
    ...given,
    redis,
    ...readHosts(cloudinary, given.dataDir, isSet, problem),
    durability: { ...durability, replicas: durability.replicas ?? Number(isReplicated) },
    sync: { ...sync, afterUploadDelayMs: sync.afterUploadDelayMs ?? null },
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value) && !ArrayBuffer.isView(value)) {
    Object.freeze(value);
    for (const entry of Object.values(value)) deepFreeze(entry);
  }
  return value;
}

/** Names that platforms and other programs use for our settings. */
const elsewhere: Readonly<Record<string, string>> = {
  KV_REST_API_TOKEN: 'UPSTASH_REDIS_REST_TOKEN',
  KV_REST_API_URL: 'UPSTASH_REDIS_REST_URL',
  KV_URL: 'REDIS_URL',
  REDISCLOUD_URL: 'REDIS_URL',
  REDIS_HOST: 'REDIS_URL',
  REDIS_PRIVATE_URL: 'REDIS_URL',
  REDIS_TLS_URL: 'REDIS_URL',
  CLOUDINARY_KEY: 'CLOUDINARY_API_KEY',
  CLOUDINARY_NAME: 'CLOUDINARY_CLOUD_NAME',
  CLOUDINARY_SECRET: 'CLOUDINARY_API_SECRET',
};

/** If one of a group is set, the others are not needed. */
const groups: readonly (readonly string[])[] = [
  [...redisWays, 'UPSTASH_REDIS_REST_TOKEN'],
  ['CLOUDINARY_URL', ...accountVariables],
];

/**
 * Variables that look like a misspelled setting, and the setting that was probably meant, without values. Without a warning such a setting silently keeps its default: with
 * `REDIS_URI`, nothing is stored in the intended Redis. A variable is ignored if the intended setting or an equivalent is set.
 */
export function unreadSettings(env: Environment): { name: string; meant: string }[] {
  const given = setVariables(env);
  return Object.keys(given).flatMap((name) => {
    if (name in defaults) return [];
    const meant = elsewhere[name] ?? meantBy(name.toUpperCase());
    if (meant === undefined) return [];
    const same = groups.find((group) => group.includes(meant)) ?? [meant];
    return same.some((setting) => setting in given) ? [] : [{ name, meant }];
  });
}

/** Shorter names are too close to unrelated variables, such as HOST and HOME. */
const LONG_ENOUGH = 8;
const SLIPS = 2;

/** Settings differ enough from each other that at most one can be meant, and never HOLDFAST_EMBEDDED_REDIS, which the launcher sets. */
function meantBy(name: string): string | undefined {
  const candidates = Object.keys(defaults).filter(
    (setting) => setting.length >= LONG_ENOUGH && !setting.startsWith('HOLDFAST_'),
  );
  const words = wordsOf(name);
  return nearestName(name, candidates, SLIPS) ?? candidates.find((setting) => wordsOf(setting) === words);
}

/** The unit of a setting. It is often left out or confused. */
const units = new Set(['BYTES', 'SIZE', 'MB', 'MS', 'SECONDS', 'MINUTES', 'HOURS', 'MINUTE', 'PER']);

/** The words of a name without its unit, in any order: MAX_UPLOAD_SIZE means UPLOAD_MAX_BYTES. */
const wordsOf = (name: string): string =>
  name
    .split('_')
    .filter((word) => !units.has(word))
    .toSorted()
    .join(' ');
