import { createHash, randomUUID } from 'node:crypto';
import { isHoldfastError } from '@holdfast/foundation/errors';
import { isMediaId, mediaIdFrom, newMediaId } from '../media/index.js';
import type { MediaHost } from '../media-host/index.js';
import {
  defineScript,
  redisEdge,
  scriptEdge,
  timePrelude,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';
import { deletionsIn, deletionsName } from './snapshot-names.js';

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
    /** The files that are not full and not being written. */
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

const CALLS_AT_ONCE = 8;
const RENEW_MS = 10_000;
const PUTS = 2;
/** The time in the names of joined files, which says nothing. The library takes 0 for now. */
const JOINED_MS = 1;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export interface JoinParts {
  host: Pick<MediaHost, 'putFile' | 'readFile' | 'removeFile'>;
  listed: ListedDeletions;
  folder: string;
}

/** The content of a file that notes these deletions. */
export function encodeDeletions(ids: readonly string[]): Buffer {
  return Buffer.from(`${ids.join('\n')}\n`);
}

/**
 * Writes a file that notes these deletions, under a name of their own. Where the host stores other bytes they are removed, since they
 * would stay under that name, and it is given the file once more.
 */
export async function putDeletions(
  host: Pick<MediaHost, 'putFile' | 'removeFile'>,
  name: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const body = encodeDeletions(ids);
  for (let left = PUTS; ; left -= 1) {
    try {
      return await host.putFile(name, body, signal);
    } catch (error) {
      if (!isHoldfastError(error, 'HOST_CONTENT_MISMATCH')) throw error;
      await host.removeFile(name, signal);
      if (left === 1) throw error;
    }
  }
}

/** Notes deletions on a host that a catalog was moved from. They are never joined there. */
export async function noteDeletions(
  host: Pick<MediaHost, 'putFile'>,
  folder: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (ids.length > 0)
    await host.putFile(deletionsName(folder, ids.length, newMediaId()), encodeDeletions(ids), signal);
}

/** The deletions that a file notes. Lines that are no ids are left out. */
export function decodeDeletions(body: Buffer): string[] {
  return body.toString().split('\n').filter(isMediaId);
}

/**
 * Writes what several small files note into one, and removes them after that. A process that dies in between leaves deletions noted
 * twice, and every file listed. Does nothing while another process joins files. Rejects when the host or Redis fails.
 */
export async function joinDeletions(parts: JoinParts, signal: AbortSignal): Promise<void> {
  const { listed } = parts;
  const token = randomUUID();
  if (!(await listed.hold(token))) return;
  const heartbeat = setInterval(() => void listed.hold(token).catch(() => undefined), RENEW_MS);
  try {
    await join(filesToJoin(await listed.open()), parts, signal);
  } finally {
    clearInterval(heartbeat);
    await listed.release(token).catch(() => undefined);
  }
}

/**
 * The smallest files, as many as at least double the size of each one of them, so that a deletion is copied about as often as its file
 * can double until it is full. Seventeen files at most are left: each of them is larger than all smaller ones together.
 */
export function filesToJoin(files: readonly OpenFile[]): OpenFile[] {
  const sorted = files.toSorted((a, b) => a.count - b.count);
  let doubled = 0;
  let total = 0;
  for (const [index, { count }] of sorted.entries()) {
    if (index > 0 && count <= total) doubled = index + 1;
    total += count;
    if (total >= FULL_FILE) return sorted.slice(0, index + 1);
  }
  return sorted.slice(0, doubled);
}

async function join(
  files: readonly OpenFile[],
  { host, listed, folder }: JoinParts,
  signal: AbortSignal,
): Promise<void> {
  if (files.length === 0) return;
  const ids = new Set<string>();
  const read: string[] = [];
  const unread: string[] = [];
  await inTurns(files, async ({ name, count }) => {
    const body = await host.readFile(name, signal);
    const noted = body === null ? [] : decodeDeletions(body);
    for (const id of noted) ids.add(id);
    // Of another number of deletions than its name says: it stays as it is.
    (noted.length === count ? read : unread).push(name);
  });
  const sorted = [...ids].toSorted();
  // Always the same name for them: however often a host fails here, it is left with one file.
  const seed = createHash('sha256').update(encodeDeletions(sorted)).digest();
  const joined = deletionsName(folder, ids.size, mediaIdFrom(JOINED_MS, seed));
  if (ids.size > 0) {
    await listed.reserve(joined, NO_LIMIT);
    await putDeletions(host, joined, sorted, signal);
    await listed.add([joined]);
  }
  // It may be one of them, beside files that a process which died has not removed.
  const spent = read.filter((name) => name !== joined);
  await inTurns(spent, async (name) => void (await host.removeFile(name, signal)));
  // Where a host denies a file that it has, it is listed again by the next snapshot.
  await listed.drop([...spent, ...unread]);
}

async function inTurns<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += CALLS_AT_ONCE)
    await Promise.all(items.slice(start, start + CALLS_AT_ONCE).map(work));
}
