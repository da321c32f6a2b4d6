import { z } from 'zod';
import { HoldfastError } from '@holdfast/foundation/errors';
import { defineScript, inRequests, redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import type { RunProgress, SyncRun } from './sync-run.js';
import type { Command, LeasedWrite } from './sync-state.js';

/**
 * Where the two sides differ: the catalog alone has the file, both have it and not the same, the host alone has it. A report gives
 * its items in this order.
 */
export const driftKinds = ['catalog-only', 'different', 'host-only'] as const;

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

/** Of what belongs to one run, for a run that is never finished. */
export const RUN_LIFE_SECONDS = 7 * 24 * 3_600;

/** So many items of each kind are kept of a full run. */
export const DRIFT_KEPT = 10_000;
/** The same of a dry run. */
const DRY_DRIFT_KEPT = 200;

const rankOf = { 'catalog-only': 'a', different: 'b', 'host-only': 'c' };

/** Kind by kind; within it by asset, which every item on the host has, or by record. */
const memberOf = (item: DriftItem): string => {
  const { kind, id, assetId } = item;
  return `${rankOf[kind]}${kind === 'catalog-only' ? id : assetId}\n${JSON.stringify(item)}`;
};
const placeOf = (member: string): string => member.slice(0, member.indexOf('\n'));
const jsonOf = (member: string): string => member.slice(member.indexOf('\n') + 1);
const itemOf = (json: string): DriftItem => JSON.parse(json) as DriftItem;

/**
 * Reports of what runs found different: that of the last full run, and those of the runs under way. A report is one sorted set, all
 * scores 0, of `<rank of the kind><what names the item>\n<JSON>`: sorted by bytes, so that a page can begin anywhere. All throw
 * CATALOG_UNAVAILABLE when Redis cannot serve, and what takes a token RUN_SUPERSEDED once another worker holds the lease.
 */
export function driftReport(redis: RedisClient, keys: RedisKeys, write: LeasedWrite) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');

  /** Members of a report after a place ('' = from the start), and the run of the last report at that moment. */
  const read = (key: string, after: string, limit: number, kept: number) =>
    guarded(async () => {
      const from = after === '' ? '-' : `(${after}\v`;
      const reply = await readScript(redis, [keys.prefix, key], [from, limit]);
      const [runId, members, ...sizes] = reply as [string | null, string[], ...number[]];
      const counts = Object.fromEntries(driftKinds.map((kind, at) => [kind, sizes[at]])) as DriftCounts;
      return { runId, members, counts, cut: Math.max(...sizes) >= kept };
    });

  /**
   * A page of the report of the last full run, each item as JSON; `runId` is null before there was one. Throws INVALID_CURSOR, also
   * for a cursor of a report that another has replaced.
   */
  const readDriftLines = async ({ cursor, limit }: { cursor?: string; limit: number }) => {
    const [ofRun = '', after = ''] = Buffer.from(cursor ?? '', 'base64url')
      .toString('utf8')
      .split('\n');
    const { runId, members, counts, cut } = await read(keys.syncDrift, after, limit + 1, DRIFT_KEPT);
    if (cursor !== undefined && ofRun !== runId)
      throw new HoldfastError('INVALID_CURSOR', 'the cursor is not one of the present report');
    const shown = members.slice(0, limit);
    const position = `${runId ?? ''}\n${placeOf(shown.at(-1) ?? '')}`;
    const nextCursor = members.length > limit ? Buffer.from(position, 'utf8').toString('base64url') : null;
    return { runId, lines: shown.map(jsonOf), counts, cut, nextCursor };
  };

  return {
    /**
     * Adds what a run met to its report, as far as that takes more items of their kind: full runs leave a report, and dry runs of any
     * sort show theirs. The same item is there once, so a page that is repeated adds nothing. Answers the items that there was room
     * for, and counts in `progress` those that are new.
     */
    noteDrift: async (
      token: string,
      running: { run: Pick<SyncRun, 'runId' | 'mode' | 'dryRun'>; progress: Pick<RunProgress, 'drift'> },
      items: readonly DriftItem[],
    ): Promise<DriftItem[]> => {
      const { run, progress } = running;
      if (run.mode !== 'full' && !run.dryRun) return [];
      const kept = run.dryRun ? DRY_DRIFT_KEPT : DRIFT_KEPT;
      const counts = (progress.drift ??= { 'catalog-only': 0, different: 0, 'host-only': 0 });
      const taken = { ...counts };
      const noted = items.filter(({ kind }) => (taken[kind] += 1) <= kept);
      const key = keys.syncDriftOf(run.runId);
      const members = noted.map((item) => ({ kind: item.kind, text: memberOf(item) }));
      // As it stands among the commands of a write: in JSON once more, each quote takes two bytes.
      for (const part of inRequests(redis, members, ({ text }) => 2 * Buffer.byteLength(text))) {
        const adds = part.map(({ text }): Command => ['ZADD', key, 0, text]);
        const replies = await write(token, ...adds, ['EXPIRE', key, RUN_LIFE_SECONDS]);
        for (const [index, { kind }] of part.entries()) counts[kind] += Number(replies[index]);
      }
      return noted;
    },
    /** Puts an item in the place of another, which was noted. */
    correctDrift: async (token: string, runId: string, noted: DriftItem, instead: DriftItem) => {
      const key = keys.syncDriftOf(runId);
      await write(token, ['ZREM', key, memberOf(noted)], ['ZADD', key, 0, memberOf(instead)]);
    },
    /** All that a dry run under way has noted. */
    readDryDrift: async (runId: string): Promise<Drift> => {
      const limit = DRY_DRIFT_KEPT * driftKinds.length;
      const { members, counts, cut } = await read(keys.syncDriftOf(runId), '', limit, DRY_DRIFT_KEPT);
      return { items: members.map(jsonOf).map(itemOf), counts, cut };
    },
    readDriftLines,
    /** The same, with its items read. */
    readDrift: async (page: { cursor?: string; limit: number }) => {
      const { lines, ...rest } = await readDriftLines(page);
      return { ...rest, items: lines.map(itemOf) };
    },
  };
}

/**
 * KEYS: hash tag, report. ARGV: place from which to begin, how many. Answers the run of the last report, the items, and how many of
 * each kind there are.
 */
const readScript = defineScript(`
local p, key = KEYS[1], KEYS[2]
local run = redis.call('HGET', p .. ':sync:state', 'driftRun')
local answer = { run, redis.call('ZRANGEBYLEX', key, ARGV[1], '+', 'LIMIT', 0, ARGV[2]) }
for _, rank in ipairs({ { '[a', '(b' }, { '[b', '(c' }, { '[c', '(d' } }) do
  answer[#answer + 1] = redis.call('ZLEXCOUNT', key, unpack(rank))
end
return answer
`);
