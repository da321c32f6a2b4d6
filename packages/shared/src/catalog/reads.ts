import { mediaStatuses, resourceTypes, type MediaRecord, type MediaStatus } from '../media/index.js';
import {
  defineScript,
  inRequests,
  membersOf,
  redisEdge,
  scriptEdge,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';
import { indexSizes } from './indexes.js';
import { indexLua } from './lua.js';
import { decodeRecord, statusCode, typeCode, type StoredRecord } from './record.js';

/** A record, and how many of its index entries are missing. */
export interface FoundRecord {
  stored: StoredRecord | null;
  /** At least 1 where there is no record. */
  gaps: number;
}

/** ARGV: ids. Answers the records as they are stored, and how many index entries each lacks. */
const readBackScript = defineScript(`${indexLua}
local stored, gaps = {}, {}
local lacking
local function look(index, score, id)
  if tonumber(redis.call('ZSCORE', index, id)) ~= score then lacking = lacking + 1 end
end
for n, id in ipairs(ARGV) do
  local measured, content, text = read(id)
  lacking = 0
  if measured then each_entry(id, measured[STATUS], content, look) else lacking = 1 end
  stored[n], gaps[n] = text or false, lacking
end
return { stored, gaps }
`);

/** What reads single records and counts. Every function throws CATALOG_UNAVAILABLE when Redis cannot serve. */
export function catalogReads(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  const run = scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE');

  /** In the order of the ids; null where there is no record. */
  const findStored = (ids: readonly string[]): Promise<(StoredRecord | null)[]> =>
    guarded(async () => {
      // Sent together: one round trip.
      const parts = await Promise.all(
        inRequests(redis, ids).map((part) => redis.mget(part.map((id) => keys.record(id)))),
      );
      return parts.flat().map((text, index) => decodeRecord(ids[index] ?? '', text));
    });

  /** Those of these ids that never come back. */
  const findTombstoned = (ids: readonly string[]): Promise<Set<string>> =>
    guarded(() => membersOf(redis, keys.tombstones, ids));

  /** Drawn at random: what cannot be done stays listed, and must not keep the rest waiting. `times`: since when each is. */
  const drawUnfinished = (listed: string, times: string, count: number) =>
    guarded(async () => {
      const ids = await redis.zrandmember(listed, count);
      const since = ids.length === 0 ? [] : await redis.zmscore(times, ...ids);
      return ids.flatMap((id, index) => {
        const sinceMs = since[index] ?? null;
        return sinceMs === null ? [] : [{ id, sinceMs: Number(sinceMs) }];
      });
    });

  return {
    /**
     * When this catalog began, in milliseconds since 1970; null while no process has begun it. A different time tells that Redis was
     * emptied since, and so does its absence.
     */
    epoch: (): Promise<string | null> => guarded(() => redis.get(keys.epoch)),
    find: async (id: string): Promise<MediaRecord | null> => (await findStored([id]))[0]?.record ?? null,
    findStored,
    /** The same, each with its gaps as of the same moment. */
    findWithGaps: async (ids: readonly string[]): Promise<FoundRecord[]> => {
      const replies = await Promise.all(
        inRequests(redis, ids).map(async (part) => {
          const [texts, gaps] = (await run(readBackScript, part)) as [(string | null)[], number[]];
          return part.map((id, at) => ({ stored: decodeRecord(id, texts[at]), gaps: gaps[at] ?? 1 }));
        }),
      );
      return replies.flat();
    },
    /**
     * How many records there are, exact, from the sizes of the indexes. The statuses add up to the total. Those that are `deleting`
     * count too, until their removal is confirmed.
     */
    counts: async () => {
      const others = mediaStatuses.filter((status) => status !== 'verified');
      const sizes = await indexSizes(redis, keys, [
        ...resourceTypes.map((type) => keys.byType(typeCode[type])),
        ...others.map((status) => keys.byStatus(statusCode[status])),
      ]);
      const total = sum(sizes.splice(0, resourceTypes.length));
      const counted = Object.fromEntries(others.map((status, index) => [status, sizes[index] ?? 0]));
      const byStatus = { ...(counted as Record<MediaStatus, number>), verified: total - sum(sizes) };
      return { total, byStatus };
    },
    isTombstoned: async (id: string): Promise<boolean> => (await findTombstoned([id])).has(id),
    findTombstoned,
    /** Edits that wait for the host, with the time of each. */
    drawUnpushed: (count: number) => drawUnfinished(keys.unpushed, keys.unpushed, count),
    /** Deletions that the host has not confirmed, with the time of each. */
    drawDeleting: (count: number) =>
      drawUnfinished(keys.byStatus(statusCode.deleting), keys.tombstones, count),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, next) => total + next, 0);
}
