import { HoldfastError } from '@holdfast/foundation/errors';
import {
  defineScript,
  inRequests,
  leaseFence,
  redisEdge,
  unlessFenced,
  type RedisClient,
  type RedisKeys,
  type ScriptReply,
} from '../redis/index.js';

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

/** Items by kind, as many as are kept: at most DRIFT_KEPT of each, or 200 of a dry run. */
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

/** So many items of each kind are kept, by a full run and by a dry one. */
export const DRIFT_KEPT = 10_000;
const DRY_DRIFT_KEPT = 200;
/** The id of an asset or of a record. */
const PLACE_BYTES = 300;
/** Of a report whose run is never finished. */
const LIFE_SECONDS = 7 * 24 * 3_600;

const rankOf = { 'catalog-only': 'a', different: 'b', 'host-only': 'c' } as const satisfies Record<
  DriftKind,
  string
>;
const ranks = driftKinds.map((kind) => rankOf[kind]);

/** What a run adds to its report. */
export interface NoteDrift {
  runId: string;
  /** Fewer items are kept of a dry run: 200 of each kind. */
  dryRun: boolean;
  items: readonly DriftItem[];
  /** Leave what the run has noted of the same media before. */
  onlyNew?: boolean;
}

/** Reports of what runs found different: that of the last full run, and those of the runs under way. */
export function driftReport(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');

  return {
    /**
     * Notes what a run met. What it met before is replaced, so a page that is repeated adds nothing. Returns the kinds that are
     * full. Throws RUN_SUPERSEDED, CATALOG_UNAVAILABLE.
     */
    noteDrift: (token: string, { runId, dryRun, items, onlyNew = false }: NoteDrift): Promise<DriftKind[]> =>
      guarded(async () => {
        const lines = items.map((item) => [placeOfItem(item), JSON.stringify(item)] as const);
        const kept = dryRun ? DRY_DRIFT_KEPT : DRIFT_KEPT;
        let full = '';
        for (const part of inRequests(redis, lines, ([, text]) => Buffer.byteLength(text) + PLACE_BYTES)) {
          const args = [token, LIFE_SECONDS, kept, onlyNew ? 'new' : 'over', ...part.flat()];
          const reply = await noteDriftScript(redis, [keys.prefix, keys.syncDriftOf(runId)], args);
          full += unlessFenced(reply) as string;
        }
        return driftKinds.filter((kind) => full.includes(rankOf[kind]));
      }),
    /** All that a dry run under way has noted. Throws CATALOG_UNAVAILABLE. */
    readDryDrift: (runId: string): Promise<Drift> =>
      guarded(async () => {
        const args = ['', '', DRY_DRIFT_KEPT * ranks.length, ...ranks];
        const reply = await readDriftScript(redis, [keys.prefix, keys.syncDriftOf(runId)], args);
        return toDrift(reply as ScriptReply[], DRY_DRIFT_KEPT);
      }),
    /**
     * A page of the report of the last full run. Throws INVALID_CURSOR, also for a cursor of a report that another has
     * replaced, and CATALOG_UNAVAILABLE.
     */
    readDrift: (page: { cursor?: string; limit: number }): Promise<DriftPage> =>
      guarded(async () => {
        const from = page.cursor === undefined ? null : decodeCursor(page.cursor);
        const args = [from?.runId ?? '', from?.place ?? '', page.limit + 1, ...ranks];
        const reply = (await readDriftScript(redis, [keys.prefix, keys.syncDrift], args)) as ScriptReply[];
        const runId = reply[0] as string;
        if (from !== null && from.runId !== runId)
          throw new HoldfastError('INVALID_CURSOR', 'a newer report has taken the place of this one');
        const drift = toDrift(reply, DRIFT_KEPT);
        const items = drift.items.slice(0, page.limit);
        const last = items.at(-1);
        const more = drift.items.length > items.length && last !== undefined;
        return {
          ...drift,
          items,
          runId: runId === '' ? null : runId,
          nextCursor: more ? encodeCursor({ runId, place: placeOfItem(last) }) : null,
        };
      }),
  };
}

/** Kind by kind; within it by asset, which every item on the host has, or by record. */
function placeOfItem({ kind, id, assetId }: DriftItem): string {
  return rankOf[kind] + (kind === 'catalog-only' ? id : assetId);
}

function toDrift([, members, ...counts]: ScriptReply[], kept: number): Drift {
  const items = (members as string[]).map(
    (member) => JSON.parse(member.slice(member.indexOf('\n') + 1)) as DriftItem,
  );
  const [catalogOnly = 0, different = 0, hostOnly = 0] = counts as number[];
  return {
    items,
    counts: { 'catalog-only': catalogOnly, different, 'host-only': hostOnly },
    cut: Math.max(catalogOnly, different, hostOnly) >= kept,
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
    throw new HoldfastError('INVALID_CURSOR', 'the cursor is not one of ours');
  return { runId, place };
}

/**
 * A report is one sorted set, all scores 0, of `<rank of the kind><what names the item>\\n<JSON>`: sorted by bytes, so that
 * an item met again is found, and a page can begin anywhere.
 */
const countLua = /* lua */ `
local function count(key, rank)
  return redis.call('ZLEXCOUNT', key, '[' .. rank, '(' .. string.char(string.byte(rank) + 1))
end
`;

/**
 * KEYS: hash tag, report under way. ARGV: lease token, its life in seconds, how many are kept of each kind, 'over' or 'new'
 * (leave what is there), then place and JSON of each item. Answers 'fenced', or the ranks of which no more are kept.
 */
const noteDriftScript = defineScript(`${countLua}
local p, key = KEYS[1], KEYS[2]
${leaseFence}local kept, over = tonumber(ARGV[3]), ARGV[4] == 'over'
local sizes = {}
for i = 5, #ARGV, 2 do
  local place, item = ARGV[i], ARGV[i] .. '\\n' .. ARGV[i + 1]
  local rank = string.sub(place, 1, 1)
  sizes[rank] = sizes[rank] or count(key, rank)
  local old = redis.call('ZRANGEBYLEX', key, '[' .. place .. '\\n', '(' .. place .. '\\11', 'LIMIT', 0, 1)[1]
  if old then
    if over and old ~= item then
      redis.call('ZREM', key, old)
      redis.call('ZADD', key, 0, item)
    end
  elseif sizes[rank] < kept then
    redis.call('ZADD', key, 0, item)
    sizes[rank] = sizes[rank] + 1
  end
end
redis.call('EXPIRE', key, ARGV[2])
local full = ''
for rank, size in pairs(sizes) do if size >= kept then full = full .. rank end end
return full
`);

/**
 * KEYS: hash tag, report. ARGV: the run that it must be of ('' = any), place after which to begin ('' = the start), how many,
 * then the ranks. Answers the run ('' before there was one), the items, and the count of each rank; the run alone where
 * it is another.
 */
const readDriftScript = defineScript(`${countLua}
local p, key = KEYS[1], KEYS[2]
local run = redis.call('HGET', p .. ':sync:state', 'driftRun') or ''
if ARGV[1] ~= '' and ARGV[1] ~= run then return { run } end
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2] .. '\\11'
local answer = { run, redis.call('ZRANGEBYLEX', key, from, '+', 'LIMIT', 0, ARGV[3]) }
for i = 4, #ARGV do answer[#answer + 1] = count(key, ARGV[i]) end
return answer
`);
