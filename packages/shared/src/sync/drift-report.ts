import { HoldfastError } from '@holdfast/foundation/errors';
import { defineScript, inRequests, redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { leasedWrite, RUN_LIFE_SECONDS, type Command } from './lease.js';

/** Where the two sides differ: the catalog alone has the media, both have it and not the same, the host alone has it. */
export const driftKinds = ['catalog-only', 'different', 'host-only'] as const;
/** A report gives its items in the order of `driftKinds`. */
export type DriftKind = (typeof driftKinds)[number];

/** What a run found, most serious first within its kind. As stable as the codes of errors. */
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
/** One code of `driftCodes`; docs/sync.md says what each means and what is done about it. */
export type DriftCode = (typeof driftCodes)[number];

/** What the run did about it; in a dry run, what it would have done. */
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
/** held-back: too many at once, so none was marked; left: nothing; failed: the next run tries again. */
export type DriftAction = (typeof driftActions)[number];

/** One difference between catalog and host that a run met. */
export interface DriftItem {
  kind: DriftKind;
  code: DriftCode;
  /** Of the record that there is, was, or would be. */
  id: string;
  publicId: string;
  assetId: string;
  /** For people. */
  detail: string;
  action: DriftAction;
}

/** Items by kind, as many as are kept. */
export type DriftCounts = Record<DriftKind, number>;

/** Some items of a report, and what is in the whole of it. */
export interface Drift {
  items: DriftItem[];
  counts: DriftCounts;
  /** True where a kind has as many items as are kept of it: there may have been more. */
  cut: boolean;
}

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
const placeOfItem = ({ kind, id, assetId }: DriftItem): string =>
  rankOf[kind] + (kind === 'catalog-only' ? id : assetId);
const memberOf = (item: DriftItem): string => `${placeOfItem(item)}\n${JSON.stringify(item)}`;
/** Items that one command adds: Lua passes on some thousand operands at most. */
const OPERANDS = 1_000;
/** As it stands among the commands of a write. */
const bytesOf = (member: string): number => Buffer.byteLength(JSON.stringify(member));
const itemOf = (member: string): DriftItem => JSON.parse(member.slice(member.indexOf('\n') + 1)) as DriftItem;

/**
 * Reports of what runs found different: that of the last full run, and those of the runs under way. A report is one sorted set, all
 * scores 0, of `<rank of the kind><what names the item>\n<JSON>`: sorted by bytes, so that a page can begin anywhere.
 */
export function driftReport(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  const write = leasedWrite(redis, keys);

  /** Items of a report after a place ('' = from the start), and the run of the last report at that moment. */
  const read = (
    key: string,
    { after = '', limit, kept }: { after?: string; limit: number; kept: number },
  ): Promise<Drift & { runId: string | null }> =>
    guarded(async () => {
      const from = after === '' ? '-' : `(${after}\v`;
      const reply = await readScript(redis, [keys.prefix, key], [from, limit, ...ranges]);
      const [runId, members, ...sizes] = reply as [string | null, string[], ...number[]];
      const [catalogOnly = 0, different = 0, hostOnly = 0] = sizes;
      return {
        runId,
        items: members.map(itemOf),
        counts: { 'catalog-only': catalogOnly, different, 'host-only': hostOnly },
        cut: Math.max(...sizes) >= kept,
      };
    });

  return {
    /**
     * Adds what a run met to its report. The same item is there once, so a page that is repeated adds nothing. Answers how many of
     * each kind are new. Throws RUN_SUPERSEDED, CATALOG_UNAVAILABLE.
     */
    noteDrift: async (token: string, runId: string, items: readonly DriftItem[]): Promise<DriftCounts> => {
      const key = keys.syncDriftOf(runId);
      const added: DriftCounts = { 'catalog-only': 0, different: 0, 'host-only': 0 };
      for (const kind of driftKinds) {
        const members = items.filter((item) => item.kind === kind).map(memberOf);
        for (let at = 0; at < members.length; at += OPERANDS)
          for (const part of inRequests(redis, members.slice(at, at + OPERANDS), bytesOf)) {
            const add: Command = ['ZADD', key, ...part.flatMap((member) => [0, member])];
            added[kind] += Number((await write(token, add, ['EXPIRE', key, RUN_LIFE_SECONDS]))[0]);
          }
      }
      return added;
    },
    /** Puts items in the place of others, which were noted. Throws RUN_SUPERSEDED, CATALOG_UNAVAILABLE. */
    correctDrift: async (
      token: string,
      runId: string,
      corrections: readonly (readonly [noted: DriftItem, instead: DriftItem])[],
    ): Promise<void> => {
      const key = keys.syncDriftOf(runId);
      for (const [noted, instead] of corrections)
        await write(token, ['ZREM', key, memberOf(noted)], ['ZADD', key, 0, memberOf(instead)]);
    },
    /** All that a dry run under way has noted. Throws CATALOG_UNAVAILABLE. */
    readDryDrift: async (runId: string): Promise<Drift> => {
      const limit = DRY_DRIFT_KEPT * driftKinds.length;
      const { items, counts, cut } = await read(keys.syncDriftOf(runId), { limit, kept: DRY_DRIFT_KEPT });
      return { items, counts, cut };
    },
    /**
     * A page of the report of the last full run. Throws INVALID_CURSOR, also for a cursor of a report that another has
     * replaced, and CATALOG_UNAVAILABLE.
     */
    readDrift: async (page: { cursor?: string; limit: number }): Promise<DriftPage> => {
      const from = page.cursor === undefined ? null : decodeCursor(page.cursor);
      const drift = await read(keys.syncDrift, {
        ...(from === null ? {} : { after: from.place }),
        limit: page.limit + 1,
        kept: DRIFT_KEPT,
      });
      const { runId } = drift;
      if (from !== null && from.runId !== runId)
        throw new HoldfastError('INVALID_CURSOR', 'a newer report has taken the place of this one');
      const items = drift.items.slice(0, page.limit);
      const last = items.at(-1);
      const hasMore = drift.items.length > items.length;
      const nextCursor =
        hasMore && last !== undefined && runId !== null
          ? encodeCursor({ runId, place: placeOfItem(last) })
          : null;
      return { ...drift, items, nextCursor };
    },
  };
}

/** Where a page of a report stopped: its run, and the place of the last item. */
interface DriftPosition {
  runId: string;
  place: string;
}

function encodeCursor({ runId, place }: DriftPosition): string {
  return Buffer.from(`${runId}\n${place}`, 'utf8').toString('base64url');
}

/** Throws INVALID_CURSOR for any other text. */
function decodeCursor(cursor: string): DriftPosition {
  const [runId = '', place = '', ...rest] = Buffer.from(cursor, 'base64url').toString('utf8').split('\n');
  const whole = runId !== '' && place !== '' && rest.length === 0;
  if (!whole || encodeCursor({ runId, place }) !== cursor)
    throw new HoldfastError('INVALID_CURSOR', 'the cursor was not issued here');
  return { runId, place };
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
