import { hash } from 'node:crypto';
import { HoldfastError, toHoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { newMediaId, timeOfId } from '@holdfast/shared/media';
import {
  catalogLines,
  deletionFiles,
  encodeManifest,
  groupFiles,
  manifestName,
  partName,
  snapshotPrefix,
  writeParts,
  type SnapshotManifest,
} from '@holdfast/shared/snapshot';
import type { SnapshotNote, SyncFacts, SyncRun } from '@holdfast/shared/sync';
import { CALLS_AT_ONCE, fetchPatiently, inParallel } from '../sync-run/host-calls.js';
import {
  holdLease,
  type LeasedWork,
  type SyncDependencies,
  type SyncSession,
} from '../sync-run/sync-session.js';

/** Takes a snapshot after a run where one is due, and ends tombstones. The run has ended well, whatever becomes of it. */
export async function snapshotAfterRun(session: SyncSession, run: SyncRun): Promise<void> {
  if (run.dryRun) return;
  if (session.settings.sync.snapshots) await snapshotIfDue(session, run);
  // A listing of another host, or one that lacks so much, says nothing about what was deleted.
  if (run.mode === 'full' && run.result === 'ok') await endTombstones(session);
}

/**
 * Takes the day's snapshot where no sync does: there may be no schedule, or a rare one, and still people edit and delete.
 * Every worker may ask; the lease lets one of them do it. Rejects when Redis cannot serve.
 */
export async function dailySnapshot(
  deps: SyncDependencies & { log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const { state, settings, now } = deps;
  if (!settings.sync.snapshots || !isSnapshotDue(await state.read(), 'incremental', now())) return;
  const { lease, facts } = await holdLease(deps, signal);
  // A sync is running, and takes one when it ends.
  if (lease === null) return;
  try {
    const beside = { mode: 'incremental', runId: facts.lastRun?.runId ?? '' } as const;
    await snapshotIfDue({ ...deps, token: lease.token, signal: lease.signal }, beside);
  } finally {
    await lease.release();
  }
}

/** A failure is noted with the run, and never thrown. */
async function snapshotIfDue(
  work: LeasedWork,
  { mode, runId }: Pick<SyncRun, 'mode' | 'runId'>,
): Promise<void> {
  const { state, token, signal, log, now } = work;
  try {
    if (isSnapshotDue(await state.read(), mode, now())) await takeSnapshot(work);
  } catch (thrown) {
    if (signal.aborted) return;
    const { code, message } = toHoldfastError(thrown);
    log.warn('snapshot.failed', { code, error: thrown });
    const problem = { code, message: `snapshot: ${message}`, at: new Date(now()).toISOString() };
    await state.noteProblem(token, runId, problem).catch(() => undefined);
  }
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** After a failure: until the next try, unless a full run comes first. */
const AGAIN_MS = 15 * 60_000;

/**
 * After each full run and after a day, where something changed. Never before a full run has completed: until then the
 * catalog may lack what the last snapshot has.
 */
export function isSnapshotDue(
  facts: Pick<SyncFacts, 'snapshot' | 'snapshotTriedAt' | 'lastFullAt' | 'changes'>,
  mode: SyncRun['mode'],
  nowMs: number,
): boolean {
  const { snapshot, snapshotTriedAt, lastFullAt, changes } = facts;
  if (lastFullAt === null || snapshot?.changes === changes) return false;
  // A time in the future was noted by a clock that was wrong, and must not delay a snapshot until then.
  const isWaiting = snapshotTriedAt !== null && Math.abs(nowMs - Date.parse(snapshotTriedAt)) < AGAIN_MS;
  if (mode !== 'full' && isWaiting) return false;
  if (snapshot === null || snapshot.at < lastFullAt) return true;
  return Math.abs(nowMs - Date.parse(snapshot.at)) >= DAY_MS;
}

/** Below the 10 MB that the smallest plan allows for a raw file, by more than a part may grow past it. */
const PART_BYTES = 8_000_000;

/**
 * Writes a snapshot of the catalog as it is now, remembers it and removes older ones. Parts go to the host while the catalog is
 * read, so that one at most is in memory. The manifest comes last: until it is there, nothing counts as written.
 */
export async function takeSnapshot(work: LeasedWork): Promise<SnapshotNote> {
  const { state, catalog, redis, keys, host, settings, token, signal, log, now } = work;
  const { folder } = settings.host;
  const nowMs = now();
  const id = newMediaId(nowMs);
  const at = new Date(nowMs).toISOString();
  // The indexes tell which records there are.
  if (await catalog.hasOldIndexes()) await catalog.repairIndexes(signal);
  const epoch = await catalog.epoch();
  const { changes } = await state.read();
  await state.note(token, { snapshotTriedAt: at });

  const put = (name: string, body: Buffer): Promise<void> =>
    fetchPatiently(() => host.putFile(name, body, signal), work);
  const counts = { records: 0, tombstones: 0 };
  const parts: SnapshotManifest['parts'] = [];
  const lines = catalogLines(redis, keys, counts);
  for await (const body of writeParts(lines, work.snapshotPartBytes ?? PART_BYTES)) {
    await put(partName(folder, id, parts.length + 1), body);
    parts.push({ bytes: body.length, sha256: hash('sha256', body) });
    signal.throwIfAborted();
  }
  await state.renew(token);
  // Emptied meanwhile, it would be the snapshot of a part. Tokens would not tell: they were emptied, too.
  if ((await catalog.epoch()) !== epoch)
    throw new HoldfastError('RUN_SUPERSEDED', 'the catalog was emptied while it was read');
  await put(manifestName(folder, id), encodeManifest({ id, folder, at, ...counts, parts }));

  const { records } = counts;
  const snapshot = { id, at, records, bytes: parts.reduce((sum, part) => sum + part.bytes, 0), changes };
  await state.note(token, { snapshot });
  log.info('snapshot.written', { snapshotId: id, records, bytes: snapshot.bytes });
  // The next one removes what this one could not.
  await pruneSnapshots(work).catch((error: unknown) => log.warn('snapshot.prune_failed', { error }));
  return snapshot;
}

/** How far apart the clocks may be whose times are compared: the host's, those of Redis and of workers. */
const CLOCK_MARGIN_MS = 10 * 60_000;

const KEPT = 3;

/**
 * Removes all but the newest complete snapshots, what unfinished ones left, and the files of deletions that each kept
 * snapshot knows of. For the holder of the lease alone: a snapshot that is being written has no manifest yet. One
 * metered call for each 500 files.
 */
async function pruneSnapshots(work: LeasedWork): Promise<void> {
  const { host, settings, signal, state, token, log } = work;
  const { folder } = settings.host;
  const files = await host.listFiles(snapshotPrefix(folder), signal);
  const snapshots = groupFiles(folder, files);
  const kept = snapshots.filter(({ manifest }) => manifest !== null).slice(0, KEPT);
  // Without its manifest a snapshot that is half removed counts as unfinished.
  const spent = snapshots
    .filter((snapshot) => !kept.includes(snapshot))
    .flatMap(({ manifest, parts }) => (manifest === null ? parts : [manifest, ...parts]));
  for (const { name } of spent) await host.removeFile(name, signal);

  const oldest = kept.at(-1);
  const keptSinceMs = oldest === undefined ? null : timeOfId(oldest.id);
  const known = deletionFiles(folder, files).filter(
    ({ file }) => Date.parse(file.storedAt) < (keptSinceMs ?? 0) - CLOCK_MARGIN_MS,
  );
  await inParallel(known, CALLS_AT_ONCE, ({ file }) => host.removeFile(file.name, signal));
  if (spent.length + known.length > 0)
    log.info('snapshot.old_removed', { files: spent.length + known.length });
  if (keptSinceMs !== null) await state.note(token, { snapshotsSince: new Date(keptSinceMs).toISOString() });
}

/** A client may repeat an upload under its Idempotency-Key for a day; late notifications of the host come within two hours. */
const SHORTEST_MS = 25 * HOUR_MS;
/** Without snapshots: the host may still have some from before, of unknown age. */
const WITHOUT_SNAPSHOTS_MS = 30 * DAY_MS;

/** Ends the tombstones that nothing needs any more. A failure is logged: the next full run ends them. */
async function endTombstones({ catalog, state, settings, now, token, log }: LeasedWork): Promise<void> {
  try {
    const beforeMs = tombstonesEndBefore(await state.read(), settings.sync.snapshots, now());
    const ended = beforeMs === null ? 0 : await catalog.endTombstones(beforeMs, token);
    if (ended > 0) log.info('sync.tombstones_ended', { tombstones: ended });
  } catch (error) {
    log.warn('sync.tombstones_kept', { error });
  }
}

/**
 * Tombstones from before this time may end: from before the last whole listing, which met none of their assets (or it would have
 * renewed the tombstone), and before every snapshot that is kept. Null: none yet.
 */
export function tombstonesEndBefore(
  { lastFullAt, snapshotsSince }: Pick<SyncFacts, 'lastFullAt' | 'snapshotsSince'>,
  snapshots: boolean,
  nowMs: number,
): number | null {
  if (lastFullAt === null || (snapshots && snapshotsSince === null)) return null;
  const listedMs = Date.parse(lastFullAt) - CLOCK_MARGIN_MS;
  if (!snapshots) return Math.min(listedMs, nowMs - WITHOUT_SNAPSHOTS_MS);
  const keptSinceMs = Date.parse(snapshotsSince ?? '') - CLOCK_MARGIN_MS;
  return Math.min(listedMs, keptSinceMs, nowMs - SHORTEST_MS);
}
