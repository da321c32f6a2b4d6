import { setTimeout as pause } from 'node:timers/promises';
import { profileOfClient, type RedisClient } from './connect-redis.js';

const FIRST_PAUSE_MS = 100;

/**
 * Cuts the items of a command into parts that this server takes: by their bytes, and by their number, which bounds the work of a
 * script and the size of a reply. An item that is too large goes alone. Usually there is one part.
 */
export function inRequests<Item>(
  redis: RedisClient,
  items: readonly Item[],
  bytesOf: (item: Item) => number = () => 0,
): (readonly Item[])[] {
  const { requestBytes, recordsAtOnce } = profileOfClient(redis);
  const parts: Item[][] = [];
  let bytes = 0;
  for (const item of items) {
    const more = bytesOf(item);
    const part = parts.at(-1);
    if (part === undefined || part.length >= recordsAtOnce || bytes + more > requestBytes) {
      parts.push([item]);
      bytes = more;
    } else {
      part.push(item);
      bytes += more;
    }
  }
  return parts;
}

/** The pairs of a reply that lists names and values in turn. */
export function pairsOf(flat: readonly (string | null)[] | null): [name: string, value: string][] {
  return (flat ?? []).flatMap((name, at) => (at % 2 === 0 ? [[name ?? '', flat?.[at + 1] ?? '']] : []));
}

/** Those of these members that a sorted set has. Rejects with what ioredis rejects with. */
export async function membersOf(
  redis: Pick<RedisClient, 'zmscore'>,
  key: string,
  members: readonly string[],
): Promise<Set<string>> {
  if (members.length === 0) return new Set();
  const scores = await redis.zmscore(key, ...members);
  return new Set(members.filter((_, index) => scores[index] !== null));
}

/**
 * Reads again, after growing pauses, until the result is settled or `lagMs` is over: so long may reads of this server be behind
 * writes of others (`readsLagMs` of the profile; 0 reads once). Returns what was read last.
 */
export async function readSettled<Found>(
  lagMs: number,
  read: () => Promise<Found>,
  isSettled: (found: Found) => boolean,
): Promise<Found> {
  const until = performance.now() + lagMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 2) {
    const found = await read();
    const leftMs = until - performance.now();
    if (leftMs <= 0 || isSettled(found)) return found;
    await pause(Math.min(pauseMs, Math.ceil(leftMs)));
  }
}
