import { nearestName } from '../errors/index.js';
import { accountVariables } from './host-settings.js';
import { setVariables, type Environment } from './read-variable.js';
import { redisWays } from './redis-settings.js';
import { defaults } from './variables.js';

/** A variable that Holdfast does not read, and the setting that was probably meant. Without its value. */
export interface UnreadSetting {
  name: string;
  meant: string;
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

/** The launcher sets HOLDFAST_EMBEDDED_REDIS; no operator can mean it. */
const INTERNAL = 'HOLDFAST_EMBEDDED_REDIS';

/**
 * Variables that look like a misspelled setting. Without a warning such a setting silently keeps its default: with
 * `REDIS_URI`, nothing is stored in the intended Redis. A variable is ignored if the intended setting or an equivalent is set.
 */
export function unreadSettings(env: Environment): UnreadSetting[] {
  const given = setVariables(env);
  return Object.keys(given).flatMap((name) => {
    if (name in defaults) return [];
    const meant = elsewhere[name] ?? meantBy(name.toUpperCase());
    if (meant === undefined || sameAs(meant).some((setting) => setting in given)) return [];
    return [{ name, meant }];
  });
}

const sameAs = (setting: string): readonly string[] =>
  groups.find((group) => group.includes(setting)) ?? [setting];

/** Shorter names are too close to unrelated variables, such as HOST and HOME. */
const LONG_ENOUGH = 8;
const SLIPS = 2;

/** Settings differ enough from each other that at most one can be meant. */
function meantBy(name: string): string | undefined {
  const candidates = Object.keys(defaults).filter(
    (setting) => setting !== INTERNAL && setting.length >= LONG_ENOUGH,
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
