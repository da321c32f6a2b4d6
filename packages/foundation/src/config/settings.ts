import { HoldfastError, type FieldProblem } from '../errors/index.js';
import { isLoopback } from './access-settings.js';
import { readHosts } from './host-settings.js';
import { setVariables, type Environment } from './read-variable.js';
import { readRedisSettings } from './redis-settings.js';
import { unreadSettings } from './unread-settings.js';
import { readVariables, type IsSet, type Report, type Variables } from './variables.js';

/** All settings of both processes, read once and frozen. Durations carry their unit in the name. */
export type Settings = ReturnType<typeof compose>;
export type AccessSettings = Settings['access'];
export type UploadSettings = Settings['uploads'];
export type JobSettings = Settings['jobs'];
export type DurabilitySettings = Settings['durability'];
export type SyncSettings = Settings['sync'];

/** Reads and checks every variable. Throws CONFIG_INVALID with all problems at once, none of which repeats a value. */
export function readSettings(env: Environment): Settings {
  return read(env, false);
}

/** As `readSettings`, where an API is to start: one that a network could use without any key is a problem too. */
export function readServingSettings(env: Environment): Settings {
  return read(env, true);
}

function read(env: Environment, isToServe: boolean): Settings {
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
function compose(
  { redis: ofRedis, cloudinary, durability, sync, ...others }: Variables,
  isSet: IsSet,
  problem: Report,
) {
  const redis = readRedisSettings(ofRedis, isSet, problem);
  const isReplicated = redis.connection.kind === 'sentinel' || redis.connection.kind === 'cluster';
  return {
    ...others,
    redis,
    ...readHosts(cloudinary, others.dataDir, isSet, problem),
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
