import {
  defineScript,
  redisEdge,
  scriptEdge,
  timePrelude,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';
import { deletionsIn } from './snapshot-names.js';

/** A file of so many deletions is never joined again: two of them would come near the 10 MB that a host takes. */
export const FULL_FILE = 50_000;
/** A file whose write began so long ago, and is not known to have ended, is read like any other. */
const GIVEN_UP_MS = 60_000;
const LEASE_MS = 30_000;

const prelude = `${timePrelude}
local files = p .. ':deletions'
`;

/** ARGV: name, limit of files that are not full, FULL_FILE. Answers how many there are with this one, or -1. */
const reserveScript = defineScript(`${prelude}
local open = redis.call('ZCOUNT', files, '-inf', '(' .. ARGV[3])
if open >= tonumber(ARGV[2]) then return -1 end
redis.call('ZADD', files, -now_ms(), ARGV[1])
return open + 1
`);

/** Answers {ms, names with their scores}. */
const readScript = defineScript(`${prelude}
return { now_ms(), redis.call('ZRANGE', files, 0, -1, 'WITHSCORES') }
`);

/** ARGV: token, ms. Takes or prolongs the lease; 0 ms ends it. Answers 1 where it is, or was, the caller's. */
const leaseScript = defineScript(`
local lease = KEYS[1] .. ':deletions:lease'
local holder = redis.call('GET', lease)
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('DEL', lease) else redis.call('SET', lease, ARGV[1], 'PX', ARGV[2]) end
return 1
`);

/** A file that may be joined with others. */
export interface OpenFile {
  name: string;
  count: number;
}

/** What the files of deletions add up to, as far as Redis knows; see `keys.deletions`. */
export interface DeletionSizes {
  files: number;
  deletions: number;
}

/**
 * The list of the files of deletions that processes share. A name is listed before its file is written, and taken off only after
 * the file was removed, so that the list is never shorter than what is on the host. Throws CATALOG_UNAVAILABLE.
 */
export function listedDeletions(redis: RedisClient, keys: RedisKeys) {
  const run = scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE');
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  const read = async (): Promise<{ nowMs: number; listed: { name: string; score: number }[] }> => {
    const [nowMs, flat] = (await run(readScript, [])) as [number, string[]];
    const listed = flat.flatMap((name, index) =>
      index % 2 === 0 ? [{ name, score: Number(flat[index + 1]) }] : [],
    );
    return { nowMs, listed };
  };
  return {
    /** Lists a file that is about to be written. How many are not full then; null where there are `limit` already. */
    reserve: async (name: string, limit: number): Promise<number | null> => {
      const open = Number(await run(reserveScript, [name, limit, FULL_FILE]));
      return open < 0 ? null : open;
    },
    /** These files are on the host. */
    add: (names: readonly string[]): Promise<void> =>
      guarded(async () => {
        const listed = names.flatMap((name) => (deletionsIn(name) > 0 ? [deletionsIn(name), name] : []));
        if (listed.length > 0) await redis.zadd(keys.deletions, ...listed);
      }),
    /** These files are not on the host any more. */
    drop: (names: readonly string[]): Promise<void> =>
      guarded(async () => {
        if (names.length > 0) await redis.zrem(keys.deletions, ...names);
      }),
    /** The files that are not full, and that nobody is writing. */
    open: async (): Promise<OpenFile[]> => {
      const { nowMs, listed } = await read();
      return listed
        .filter(({ score }) => (score < 0 ? nowMs + score > GIVEN_UP_MS : score < FULL_FILE))
        .map(({ name }) => ({ name, count: deletionsIn(name) }));
    },
    sizes: async (): Promise<DeletionSizes> => {
      const { listed } = await read();
      return {
        files: listed.length,
        deletions: listed.reduce((sum, { name }) => sum + deletionsIn(name), 0),
      };
    },
    /** Takes or prolongs the right to join files; false while another process has it. It only saves work. */
    hold: async (token: string): Promise<boolean> => (await run(leaseScript, [token, LEASE_MS])) === 1,
    release: async (token: string): Promise<void> => {
      await run(leaseScript, [token, 0]);
    },
  };
}

export type ListedDeletions = ReturnType<typeof listedDeletions>;
