import { noteFolderHost } from '@holdfast/shared/catalog-host';
import type { StoredRecord } from '@holdfast/shared/catalog';
import { hostOfUrl, isOnAnotherHost, recordFromAsset, type MediaRecord } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import { addFinding, unseenRecords, type DriftItem } from '@holdfast/shared/sync';
import { isCovered } from '../reconcile/page-facts.js';
import { lookAt } from '../reconcile/reconcile-page.js';
import { inParallel, knownBudget, LOOKS_AT_ONCE, pauseBeforePage } from '../sync-run/host-calls.js';
import { checkpoint, noteUnreadable, type SyncSession } from '../sync-run/sync-session.js';

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
  // Those that earlier runs have marked still differ; among them may be some that this one marked before it was killed.
  for await (const ids of unseenRecords(session, 'missing')) {
    const records = await covered(session, ids);
    const noted = await report(session, records, 'MISSING', 'left', 'marked missing before');
    if (noted.length < records.length) break;
  }
  return result;
}

async function settleUnseen(session: SyncSession): Promise<'ok' | 'partial'> {
  const { catalog, catalogHost, host, running, settings, log } = session;
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
  for await (const ids of unseenRecords(session, 'settled')) {
    const looked = await lookFor(session, ids);
    const elsewhere = isNew ? looked.gone.filter(({ url }) => isOnAnotherHost(url, identity)) : [];
    if (elsewhere.length > 0) return hostChanged(session, elsewhere);
    gone.push(...looked.gone.map(({ id }) => id));
    unlisted.push(...looked.there);
    if (gone.length > allowance) break;
  }
  // All of it is there, but a listing that leaves out so much cannot be trusted next time.
  if (unlisted.length > 0 && (run.listed === 0 || unlisted.length > heldBackAbove))
    addFinding(run, 'LISTING_SHORT', unlisted);
  const isHeldBack = gone.length > allowance;
  if (isHeldBack) addFinding(run, 'MASS_MISSING', gone);
  for (let start = 0; start < gone.length; start += BATCH) {
    const records = await covered(session, gone.slice(start, start + BATCH));
    if (!isHeldBack) await markGone(session, records);
    else {
      const detail = 'gone from the host together with many others; the run stopped looking there';
      await report(session, records, 'MASS_MISSING', 'held-back', detail);
    }
  }
  if (isHeldBack) return 'partial';
  // Every record was found here, or its loss was confirmed: a catalog of 0.1.0 belongs to this host.
  if (belongsTo === null && !run.dryRun && (await catalogHost.begin(identity)) === identity)
    await noteFolderHost(settings.dataDir, identity, log);
  return 'ok';
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
  const { host, signal, fleetBudget, running, settings } = session;
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
  const isOf = (asset: HostAsset, { id, assetId }: MediaRecord): boolean =>
    asset.assetId === assetId || recordFromAsset(asset, settings.host.folder, 'sync').id === id;
  const gone: MediaRecord[] = [];
  for (const [index, record] of unknown.entries()) {
    const asset = found[index];
    if (asset === undefined) running.run.errors += 1;
    else if (asset !== null && isOf(asset, record)) there.push(record.id);
    else gone.push(record);
  }
  return { gone, there };
}

async function markGone(session: SyncSession, records: readonly StoredRecord[]): Promise<void> {
  const { catalog, running, token } = session;
  const { run } = running;
  const ids = records.map(({ id }) => id);
  const outcomes = run.dryRun ? [] : await catalog.markMissing(ids, token);
  const kept = records.filter((_, index) => outcomes[index] === 'kept');
  const gone = records.filter((record) => !kept.includes(record));
  const denied = 'the host has it neither by asset id nor by name';
  await report(session, gone, 'MISSING', 'marked-missing', denied);
  // Saved or deleted here in the same moment.
  await report(session, kept, 'MISSING', 'left', 'changed here while it was found gone from the host');
  run.missing += gone.length;
  // As seen, so that they are not taken for those of earlier runs.
  await checkpoint(
    session,
    records.map(({ sequence }) => sequence),
  );
}

/** The catalog turns out to belong to another host, or is known to: nothing is marked. */
async function hostChanged(session: SyncSession, records: readonly MediaRecord[]): Promise<'partial'> {
  const { catalogHost, host, running, log } = session;
  const other = hostOfUrl(records[0]?.url ?? '');
  if (other !== null && !running.run.dryRun) {
    await catalogHost.set(other);
    log.warn('host.changed', { catalog: other, configured: host.identity });
  }
  const ids = records.map(({ id }) => id);
  addFinding(running.run, 'HOST_CHANGED', ids);
  return 'partial';
}

/** Answers the items for which the report has room. */
function report(
  { state, token, running }: SyncSession,
  records: readonly StoredRecord[],
  code: DriftItem['code'],
  action: DriftItem['action'],
  detail: string,
): Promise<DriftItem[]> {
  const items = records.map(({ record: { id, publicId, assetId } }): DriftItem => {
    return { kind: 'catalog-only', code, id, publicId, assetId, detail, action };
  });
  return state.noteDrift(token, running, items);
}
