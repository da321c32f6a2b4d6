import { z } from 'zod';
import { HoldfastError } from '@holdfast/foundation/errors';
import { defineScript, inRequests, redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { leasedWrite, RUN_LIFE_SECONDS, type Command } from './lease.js';

/**
 * Where the two sides differ: the catalog alone has the file, both have it and not the same, the host alone has it. A report gives
 * its items in this order.
 */
export const driftKinds = ['catalog-only', 'different', 'host-only'] as const;
export type DriftKind = (typeof driftKinds)[number];

/** What a run found, most serious first within its kind. As stable as the codes of errors; docs/sync.md says what each means. */
export const driftCodes = [
  'MISSING',
  'MASS_MISSING',
  'CONTENT_CHANGED',
  'CAME_BACK',
  'EDITED_ON_HOST',
  'CHANGED_ON_HOST',
  'EDITED_HERE',
  'MARK_LOST',
  'SAME_ID_TWICE',
  'DELETING',
  'NOT_IN_CATALOG',
  'DIRECT_UPLOAD',
  'DELETED_HERE',
  'REFUSED_UPLOAD',
  'UNFINISHED_UPLOAD',
  'UNWELCOME_UPLOAD',
] as const;

/**
 * What the run did about it; in a dry run, what it would have done. held-back: too many at once, so none was marked; left: nothing;
 * failed: the next run tries again.
 */
export const driftActions = [
  'created',
  'updated',
  'restored',
  'push-queued',
  'rewritten',
  'removed',
  'marked-missing',
  'held-back',
  'left',
  'failed',
] as const;

export const driftItem = z.object({
  kind: z.enum(driftKinds),
  code: z.enum(driftCodes),
  id: z.string().describe('Of the record that there is, was, or would be.'),
  publicId: z.string(),
  assetId: z.string(),
  detail: z.string().describe('For people.'),
  action: z.enum(driftActions).describe('What the run did about it; in a dry run, what it would have done.'),
});
/** One difference between catalog and host that a run met. */
export type DriftItem = z.infer<typeof driftItem>;

const count = z.int().min(0);
export const drift = z.object({
  items: z.array(driftItem),
  counts: z.object({ 'catalog-only': count, different: count, 'host-only': count }),
  cut: z.boolean().describe('True if there may have been more items than are kept.'),
});
/** Some items of a report, and how many of each kind are in the whole of it. */
export type Drift = z.infer<typeof drift>;
export type DriftCounts = Drift['counts'];

/** One page of the report of the last full run; `runId` is null before there was one. */
export interface DriftPage extends Drift {
  runId: string | null;
  nextCursor: string | null;
}

/** So many items of each kind are kept of a full run. */
export const DRIFT_KEPT = 10_000;
/** The same of a dry run. */
export const DRY_DRIFT_KEPT = 200;

const rankOf = { 'catalog-only': 'a', different: 'b', 'host-only': 'c' } as const satisfies Record<
  DriftKind,
  string
>;
/** Of each kind in a report, as ZLEXCOUNT takes it. */
const ranges = ['[a', '(b', '[b', '(c', '[c', '(d'];

/** Kind by kind; within it by asset, which every item on the host has, or by record. */
const placeOf = ({ kind, id, assetId }: DriftItem): string =>
  rankOf[kind] + (kind === 'catalog-only' ? id : assetId);
const memberOf = (item: DriftItem): string => `${placeOf(item)}\n${JSON.stringify(item)}`;
/** At most, as it stands among the commands of a write: in JSON once more, each quote takes two bytes. */
const bytesOf = ({ text }: { text: string }): number => 2 * Buffer.byteLength(text);
const itemOf = (member: string): DriftItem => JSON.parse(member.slice(member.indexOf('\n') + 1)) as DriftItem;

/**
 * Reports of what runs found different: that of the last full run, and those of the runs under way. A report is one sorted set, all
 * scores 0, of `<rank of the kind><what names the item>\n<JSON>`: sorted by bytes, so that a page can begin anywhere. All throw
 * CATALOG_UNAVAILABLE when Redis cannot serve, and what takes a token RUN_SUPERSEDED once another worker holds the lease.
 */
export function driftReport(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  const write = leasedWrite(redis, keys);

  /** Items of a report after a place ('' = from the start), and the run of the last report at that moment. */
  const read = (key: string, after: string, limit: number, kept: number) =>
    guarded(async () => {
      const from = after === '' ? '-' : `(${after}\v`;
      const reply = await readScript(redis, [keys.prefix, key], [from, limit, ...ranges]);
      const [runId, members, ...sizes] = reply as [string | null, string[], ...number[]];
      const [catalogOnly = 0, different = 0, hostOnly = 0] = sizes;
      const counts = { 'catalog-only': catalogOnly, different, 'host-only': hostOnly };
      return { runId, drift: { items: members.map(itemOf), counts, cut: Math.max(...sizes) >= kept } };
    });

  return {
    /**
     * Adds what a run met to its report. The same item is there once, so a page that is repeated adds nothing. Answers how many of
     * each kind are new.
     */
    noteDrift: async (token: string, runId: string, items: readonly DriftItem[]): Promise<DriftCounts> => {
      const key = keys.syncDriftOf(runId);
      const added = { 'catalog-only': 0, different: 0, 'host-only': 0 };
      const members = items.map((item) => ({ kind: item.kind, text: memberOf(item) }));
      for (const part of inRequests(redis, members, bytesOf)) {
        const adds = part.map(({ text }): Command => ['ZADD', key, 0, text]);
        const replies = await write(token, ...adds, ['EXPIRE', key, RUN_LIFE_SECONDS]);
        for (const [index, { kind }] of part.entries()) added[kind] += Number(replies[index]);
      }
      return added;
    },
    /** Puts items in the place of others, which were noted. */
    correctDrift: async (
      token: string,
      runId: string,
      corrections: readonly (readonly [noted: DriftItem, instead: DriftItem])[],
    ): Promise<void> => {
      const key = keys.syncDriftOf(runId);
      for (const [noted, instead] of corrections)
        await write(token, ['ZREM', key, memberOf(noted)], ['ZADD', key, 0, memberOf(instead)]);
    },
    /** All that a dry run under way has noted. */
    readDryDrift: async (runId: string): Promise<Drift> =>
      (await read(keys.syncDriftOf(runId), '', DRY_DRIFT_KEPT * driftKinds.length, DRY_DRIFT_KEPT)).drift,
    /** A page of the report of the last full run. Throws INVALID_CURSOR, also for a cursor of a report that another has replaced. */
    readDrift: async ({ cursor, limit }: { cursor?: string; limit: number }): Promise<DriftPage> => {
      const [ofRun = '', after = ''] = Buffer.from(cursor ?? '', 'base64url')
        .toString('utf8')
        .split('\n');
      const { runId, drift: found } = await read(keys.syncDrift, after, limit + 1, DRIFT_KEPT);
      if (cursor !== undefined && ofRun !== runId)
        throw new HoldfastError('INVALID_CURSOR', 'the cursor is not one of the present report');
      const items = found.items.slice(0, limit);
      const last = items.at(-1);
      const isWhole = found.items.length <= limit || last === undefined;
      const position = isWhole ? null : `${runId ?? ''}\n${placeOf(last)}`;
      const nextCursor = position && Buffer.from(position, 'utf8').toString('base64url');
      return { ...found, runId, items, nextCursor };
    },
  };
}

/**
 * KEYS: hash tag, report. ARGV: place from which to begin, how many, then the range of each kind. Answers the run of the last report,
 * the items, and how many of each kind there are.
 */
const readScript = defineScript(`
local p, key = KEYS[1], KEYS[2]
local run = redis.call('HGET', p .. ':sync:state', 'driftRun')
local answer = { run, redis.call('ZRANGEBYLEX', key, ARGV[1], '+', 'LIMIT', 0, ARGV[2]) }
for i = 3, #ARGV, 2 do answer[#answer + 1] = redis.call('ZLEXCOUNT', key, ARGV[i], ARGV[i + 1]) end
return answer
`);
