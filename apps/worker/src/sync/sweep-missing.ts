import { noteFolderHost } from '@holdfast/shared/catalog-host';
import type { StoredRecord } from '@holdfast/shared/catalog';
import { hostOfUrl, isOnAnotherHost, recordFromAsset, type MediaRecord } from '@holdfast/shared/media';
import { unseenRecords, type DriftItem } from '@holdfast/shared/sync';
import { lookAt, NO_ANSWER } from '../reconcile/look-again.js';
import { isCovered } from '../reconcile/page-facts.js';
import { inParallel, knownBudget, LOOKS_AT_ONCE, pauseBeforePage } from '../sync-run/host-calls.js';
import {
  addCounts,
  addFinding,
  checkpoint,
  noteDrift,
  noteUnreadable,
  roomForDrift,
  type SyncSession,
} from '../sync-run/sync-session.js';

/** So many records are marked at once. */
const BATCH = 100;
/** More than this share and this number at once is held back until it is confirmed with force. */
const HELD_BACK_SHARE = 0.1;
const HELD_BACK_ABOVE = 20;

/**
 * After a complete pass: the records that no page showed. Each is asked for by its asset id and then by its name before it
 * is marked; one without an answer is not. `partial` when so many are gone that none was marked.
 */
export async function sweepMissing(session: SyncSession): Promise<'ok' | 'partial'> {
  const result = await settleUnseen(session);
  // Those that earlier runs have marked still differ.
  for await (const ids of unseen(session, 'missing')) {
    if (roomForDrift(session, 'catalog-only') <= 0) break;
    await report(session, await covered(session, ids), 'before');
  }
  return result;
}

async function settleUnseen(session: SyncSession): Promise<'ok' | 'partial'> {
  const { catalog, catalogHost, host, running } = session;
  const { run } = running;
  const { identity } = host;
  const belongsTo = await catalogHost.read();
  // Even with force: what this host lacks may be on the other one.
  if (belongsTo !== null && belongsTo !== identity) return hostChanged(session, []);
  const isNew = belongsTo === null || (run.trigger === 'recovery' && !run.force);
  const { total, byStatus } = await catalog.counts();
  const present = total - byStatus.missing - byStatus.deleting;
  const heldBackAbove = Math.max(HELD_BACK_ABOVE, Math.floor(present * HELD_BACK_SHARE));
  const allowance = run.force ? Infinity : heldBackAbove;
  const gone: string[] = [];
  const unlisted: string[] = [];
  for await (const ids of unseen(session, 'settled')) {
    const looked = await lookFor(session, ids);
    const elsewhere = isNew ? looked.gone.filter(({ url }) => isOnAnotherHost(url, identity)) : [];
    if (elsewhere.length > 0) return hostChanged(session, elsewhere);
    gone.push(...looked.gone.map(({ id }) => id));
    unlisted.push(...looked.there);
    if (gone.length > allowance) break;
  }
  // All of it is there, but a listing that leaves out so much cannot be trusted next time.
  if (unlisted.length > 0 && (run.listed === 0 || unlisted.length > heldBackAbove))
    addFinding(session, 'LISTING_SHORT', unlisted);
  if (gone.length > allowance) {
    addFinding(session, 'MASS_MISSING', gone);
    for (let start = 0; start < gone.length; start += BATCH)
      await report(session, await covered(session, gone.slice(start, start + BATCH)), 'heldBack');
    return 'partial';
  }
  for (let start = 0; start < gone.length; start += BATCH)
    await markGone(session, gone.slice(start, start + BATCH));
  if (belongsTo === null && !run.dryRun) await beginHost(session);
  return 'ok';
}

function unseen(
  { redis, keys, running }: SyncSession,
  which: 'settled' | 'missing',
): AsyncGenerator<string[]> {
  const { run, progress } = running;
  return unseenRecords(redis, keys, which, run.runId, progress.lastSequence);
}

/** Those of these records that a sync takes care of. */
async function covered({ catalog, settings }: SyncSession, ids: readonly string[]): Promise<StoredRecord[]> {
  const stored = await catalog.findStored(ids);
  return stored.flatMap((entry) =>
    entry !== null && isCovered(entry.record.publicId, settings.host) ? [entry] : [],
  );
}

/** Those of these records whose asset the host says it has no more, by id and by name, and those whose asset it shows. */
async function lookFor(
  session: SyncSession,
  ids: readonly string[],
): Promise<{ gone: MediaRecord[]; there: string[] }> {
  const { host, signal, fleetBudget } = session;
  const records = (await covered(session, ids)).map(({ record }) => record);
  if (records.length === 0) return { gone: [], there: [] };
  // Throws when the hour's calls are used up; the sweep then starts again after the reset.
  pauseBeforePage(knownBudget(host.budget(), fleetBudget), session.now());
  const { assets, unreadable } = await host.confirm(
    records.map((record) => record.assetId),
    signal,
  );
  noteUnreadable(session, unreadable);
  const known = new Set(assets.map((asset) => asset.assetId));
  const there = records.flatMap(({ id, assetId }) => (known.has(assetId) ? [id] : []));
  // What has no asset id may be any of them.
  if (unreadable.some(({ assetId }) => assetId === null)) return { gone: [], there };
  for (const { assetId } of unreadable) known.add(assetId ?? '');
  const unknown = records.filter((record) => !known.has(record.assetId));
  const found = await inParallel(unknown, LOOKS_AT_ONCE, (record) => lookAt(session, record));
  // Another asset under the name of one that is gone counts only if it carries the same record.
  const { folder } = session.settings.host;
  const gone: MediaRecord[] = [];
  for (const [index, record] of unknown.entries()) {
    const asset = found[index] ?? null;
    if (asset === NO_ANSWER) {
      addCounts(session, { errors: 1 });
      continue;
    }
    const isThere =
      asset !== null &&
      (asset.assetId === record.assetId || recordFromAsset(asset, folder, 'sync').id === record.id);
    if (isThere) there.push(record.id);
    else gone.push(record);
  }
  return { gone, there };
}

async function markGone(session: SyncSession, ids: readonly string[]): Promise<void> {
  const { state, catalog, running, token } = session;
  const { runId, dryRun } = running.run;
  const records = await covered(session, ids);
  const noted = await report(session, records, 'marked');
  const outcomes = dryRun ? [] : await catalog.markMissing(ids, token);
  const kept = new Set(ids.filter((_, index) => outcomes[index] === 'kept'));
  const corrections = noted
    .filter(({ id }) => kept.has(id))
    .map((item) => [item, { ...item, ...words.kept }] as const);
  await state.correctDrift(token, runId, corrections);
  addCounts(session, { missing: ids.length - kept.size });
  // As seen, so that they are not taken for those of earlier runs.
  await checkpoint(
    session,
    records.map(({ sequence }) => sequence),
  );
}

/** The catalog turns out to belong to another host, or is known to: nothing is marked. */
async function hostChanged(session: SyncSession, records: readonly MediaRecord[]): Promise<'partial'> {
  const { catalogHost, host, running } = session;
  const other = hostOfUrl(records[0]?.url ?? '');
  if (other !== null && !running.run.dryRun) {
    await catalogHost.set(other);
    session.log.warn('host.changed', { catalog: other, configured: host.identity });
  }
  addFinding(
    session,
    'HOST_CHANGED',
    records.map(({ id }) => id),
  );
  return 'partial';
}

/** Every record was found here, or its loss was confirmed: a catalog of 0.1.0 belongs to this host. */
async function beginHost({ catalogHost, host, settings, log }: SyncSession): Promise<void> {
  const { identity } = host;
  if ((await catalogHost.begin(identity)) !== identity) return;
  await noteFolderHost(settings.dataDir, identity, log);
}

/** What the report says about records whose asset the host does not have any more. */
const words = {
  marked: {
    code: 'MISSING',
    action: 'marked-missing',
    detail: 'the host has it neither by asset id nor by name',
  },
  /** Saved or deleted here in the same moment. */
  kept: { code: 'MISSING', action: 'left', detail: 'changed here while it was found gone from the host' },
  heldBack: {
    code: 'MASS_MISSING',
    action: 'held-back',
    detail: 'gone from the host together with many others; the run stopped looking there',
  },
  before: { code: 'MISSING', action: 'left', detail: 'missing since an earlier run' },
} as const satisfies Record<string, Pick<DriftItem, 'code' | 'action' | 'detail'>>;

/** Answers the items for which the report has room. */
function report(
  session: SyncSession,
  records: readonly StoredRecord[],
  as: keyof typeof words,
): Promise<DriftItem[]> {
  const items = records.map(({ record: { id, publicId, assetId } }): DriftItem => ({
    kind: 'catalog-only',
    id,
    publicId,
    assetId,
    ...words[as],
  }));
  return noteDrift(session, items);
}
