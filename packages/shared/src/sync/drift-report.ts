import { HoldfastError } from '../errors/index.js';
import {
  inRequests,
  redisEdge,
  unlessFenced,
  type RedisClient,
  type RedisKeys,
  type ScriptReply,
} from '../redis/index.js';
import { decodeDriftCursor, encodeDriftCursor } from './drift-cursor.js';
import { driftKinds, type Drift, type DriftItem, type DriftKind, type DriftPage } from './drift-item.js';
import { noteDriftScript, readDriftScript } from './drift-scripts.js';

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
     * Notes what a run met; what it met before is replaced, so that a page that is done again adds nothing. Answers the kinds of
     * which no more are kept. Throws RUN_SUPERSEDED, CATALOG_UNAVAILABLE.
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
        const from = page.cursor === undefined ? null : decodeDriftCursor(page.cursor);
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
          nextCursor: more ? encodeDriftCursor({ runId, place: placeOfItem(last) }) : null,
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
