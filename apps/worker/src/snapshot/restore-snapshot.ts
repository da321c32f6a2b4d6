import { isHoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import {
  isCircuitOpen,
  isTransientHostError,
  type HostFile,
  type MediaHost,
} from '@holdfast/shared/media-host';
import {
  decodeDeletions,
  deletionFiles,
  groupFiles,
  loadLines,
  partName,
  readManifest,
  readPart,
  SnapshotFlaw,
  snapshotPrefix,
  type DeletionFile,
  type SnapshotLine,
  type SnapshotManifest,
  type SnapshotRecord,
} from '@holdfast/shared/snapshot';
import { addFinding } from '@holdfast/shared/sync';
import { fetchPatiently, inParallel, LOOKS_AT_ONCE } from '../sync-run/host-calls.js';
import { checkpoint, OVERLAP_MS, type LeasedWork, type SyncSession } from '../sync-run/sync-session.js';
import { verifyRecords } from '../verify/verify-records.js';

/** The first step of a recovery: the snapshot, if there is one. The listing that follows brings it up to date. */
export async function restoreCatalog(session: SyncSession): Promise<void> {
  const { state, running, settings, signal, log } = session;
  const { run, progress } = running;
  if (progress.restoring !== true || !settings.sync.snapshots) return;
  const result = await restoreSnapshot(session).catch((error: unknown): RestoreResult => {
    // A host that does not list its files must not stand in the way of the listing of its assets.
    if (signal.aborted || !isRefusedByHost(error)) throw error;
    log.warn('snapshot.unreadable', { error });
    return { restored: null, refused: [{ id: 'all', why: 'unreachable' }] };
  });
  // What an earlier try could not use may be given now.
  run.findings = run.findings.filter(({ code }) => code !== 'SNAPSHOT_REFUSED');
  const refused = result.refused.map(({ id, why }) => `${id} (${why})`);
  if (refused.length > 0) addFinding(run, 'SNAPSHOT_REFUSED', refused);
  // What came from a snapshot, used or refused, and is gone from the host since is found missing by this run already.
  progress.lastSequence = (await state.read()).lastSequence;
  // Until a page of the listing is done, the next try begins with the snapshots again.
  if (result.restored === null) return;
  const { manifest, created, unproven } = result.restored;
  addFinding(run, 'SNAPSHOT_RESTORED', [manifest.id], manifest.records);
  run.created += created;
  run.errors += unproven;
  run.expected = manifest.records;
  progress.restoring = false;
  progress.catchUpSince = new Date(Date.parse(manifest.at) - OVERLAP_MS).toISOString();
  await checkpoint(session);
  log.info('snapshot.restored', { snapshotId: manifest.id, records: manifest.records, created, unproven });
}

/**
 * After a start of ours or of Redis: it may have lost its last writes, without being empty, and deletions among them. What was
 * acknowledged and is lost comes back from the host; what was deleted must not.
 */
export async function repeatDeletions(session: SyncSession): Promise<void> {
  const { running, settings, host, log } = session;
  if (running.run.trigger !== 'startup' || !settings.sync.snapshots) return;
  try {
    await loadDeletions(host, session);
  } catch (error) {
    // A host that will not give its files at all must not stand in the way of the sync.
    if (!isHoldfastError(error, 'HOST_REJECTED') || isTransientHostError(error)) throw error;
    log.warn('snapshot.unreadable', { error });
  }
}

/** Listings at most: while files are read, processes that delete replace theirs. */
const LISTINGS = 3;

/**
 * Deletes here, once more, what this deployment's files on a host say was deleted. Records that are there go, their assets too. Answers
 * the files, as they were listed last, and whether all notes could be read: if not, an older snapshot may have records of deleted files.
 */
export async function loadDeletions(
  host: MediaHost,
  work: LeasedWork,
): Promise<{ files: HostFile[]; isComplete: boolean }> {
  const { redis, keys, settings, token, signal, log } = work;
  const { folder } = settings.host;
  const loaded = new Map<string, number>();
  const load = async ({ id, file, count }: DeletionFile): Promise<'loaded' | 'gone' | 'unread'> => {
    const ids = id === null ? await idsIn(host, file, work) : [id];
    if (ids === null) return 'gone';
    const deletedMs = Date.parse(file.storedAt);
    const lines = ids.map((one) => ({ kind: 'tombstone' as const, id: one, deletedMs }));
    await loadLines(redis, keys, token, lines);
    loaded.set(file.name, ids.length);
    if (ids.length === count) return 'loaded';
    // Not given, cut short, or something else in its place.
    log.warn('snapshot.deletions_unread', { files: [file.name], noted: count, read: ids.length });
    return 'unread';
  };

  for (let listings = 1; ; listings += 1) {
    const files = await fetchPatiently(() => host.listFiles(snapshotPrefix(folder), signal), work);
    const notes = deletionFiles(folder, files).filter(({ file }) => !loaded.has(file.name));
    const ends = await inParallel(notes, LOOKS_AT_ONCE, load);
    // The file that replaced it, with its notes, was there before it went.
    if (ends.includes('gone') && !ends.includes('unread') && listings < LISTINGS) continue;
    const deletions = [...loaded.values()].reduce((sum, count) => sum + count, 0);
    if (deletions > 0) log.info('snapshot.deletions_restored', { deletions });
    return { files, isComplete: ends.every((end) => end === 'loaded') };
  }
}

/** Null where the host denies the file. What it does not give says nothing of the host as a whole: files may be refused where listings are not. */
async function idsIn(host: MediaHost, file: HostFile, work: LeasedWork): Promise<string[] | null> {
  const { signal, log } = work;
  try {
    const body = await fetchPatiently(() => host.readFile(file.name, signal, file.bytes), work);
    return body === null ? null : decodeDeletions(body);
  } catch (error) {
    signal.throwIfAborted();
    if (isCircuitOpen(error)) throw error;
    log.warn('snapshot.deletions_unread', { files: [file.name], error });
    return [];
  }
}

interface Refusal {
  id: string;
  /** `unreachable`: the host did not give it, in three rounds. `deletions unread`: a file of later deletions was not given, or not whole. */
  why: SnapshotFlaw['why'] | 'unreachable' | 'deletions unread';
}

interface RestoreResult {
  /** Null where there is no snapshot that may be used. */
  restored: Awaited<ReturnType<typeof restoreOne>> | null;
  refused: Refusal[];
}

/**
 * Brings the newest snapshot that is whole, and that the host gives, into the catalog, after the deletions that the host has notes of:
 * none where these cannot be read, and the listing does instead. Never replaces what is newer, and may be repeated. What a refused
 * one had given before is right, and stays. Rejects when Redis fails, or the host does not list its files.
 */
export async function restoreSnapshot(work: LeasedWork): Promise<RestoreResult> {
  const { host, settings, state, token, signal, log } = work;
  // First of all, so that what was deleted after the snapshot is never there again, not even for a moment.
  const { files, isComplete } = await loadDeletions(host, work);
  const complete = groupFiles(settings.host.folder, files).flatMap(({ id, manifest }) =>
    manifest === null ? [] : [{ id, manifest }],
  );
  if (!isComplete)
    return { restored: null, refused: complete.map(({ id }) => ({ id, why: 'deletions unread' })) };
  const refused: Refusal[] = [];
  for (const { id, manifest } of complete) {
    try {
      const restored = await restoreOne(id, manifest, work);
      const { at, records, parts } = restored.manifest;
      const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
      // The next snapshot is due once something changes; at once where the newest one could not be used.
      const changes = refused.length === 0 ? (await state.read()).changes : null;
      await state.note(token, { snapshot: { id, at, records, bytes, changes } });
      return { restored, refused };
    } catch (error) {
      const isFlaw = error instanceof SnapshotFlaw;
      // What is not the fault of this snapshot ends the restore. Files may be limited where listings are not.
      if (!isFlaw && (signal.aborted || !isRefusedByHost(error, 'HOST_RATE_LIMITED'))) throw error;
      const why = isFlaw ? error.why : 'unreachable';
      refused.push({ id, why });
      log.warn('snapshot.refused', { snapshotId: id, why, error });
    }
  }
  return { restored: null, refused };
}

const ofHost: readonly ErrorCode[] = ['HOST_REJECTED', 'HOST_TIMEOUT', 'HOST_LIMIT', 'HOST_CURSOR_SPENT'];

/** True where the host did not give what was requested: a recovery continues without it. */
function isRefusedByHost(error: unknown, ...more: readonly ErrorCode[]): boolean {
  return isHoldfastError(error, ...ofHost, ...more) && !isCircuitOpen(error);
}

/**
 * Loads all parts of a snapshot. Nothing is under way any more when it ends. `created` records were written, the others were there
 * already, as they are or newer; `unproven` ones could not be verified and stay `saving`.
 */
async function restoreOne(id: string, { name, bytes }: HostFile, work: LeasedWork) {
  const { host, settings, signal } = work;
  const manifest = readManifest(await fetchPatiently(() => host.readFile(name, signal, bytes), work));
  // Names tell deployments apart; a file that was moved does not.
  if (manifest.folder !== settings.host.folder || manifest.id !== id)
    throw new SnapshotFlaw('damaged', 'the manifest of another snapshot');
  const loaded = { record: 0, tombstone: 0, created: 0, unproven: 0 };
  const batches = batchesOf(manifest, work);
  // A lane that throws ends the batches, and with them the other lanes.
  const lane = async (): Promise<void> => {
    for await (const batch of batches) await loadBatch(batch, loaded, work);
  };
  const lanes = await Promise.allSettled(Array.from({ length: BATCHES_AT_ONCE }, lane));
  const failed = lanes.find((ended) => ended.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  const { record, tombstone, created, unproven } = loaded;
  if (record !== manifest.records || tombstone !== manifest.tombstones)
    throw new SnapshotFlaw('damaged', 'other counts than in the manifest');
  return { manifest, created, unproven };
}

/** Batches at once: while Redis works on one, the next is decoded and those before are compared. */
const BATCHES_AT_ONCE = 4;

async function* batchesOf({ id, parts }: SnapshotManifest, work: LeasedWork): AsyncGenerator<SnapshotLine[]> {
  const { host, settings, signal } = work;
  for (const [index, part] of parts.entries()) {
    const name = partName(settings.host.folder, id, index + 1);
    yield* readPart(await fetchPatiently(() => host.readFile(name, signal, part.bytes), work), part);
  }
}

/** Records are verified batch by batch. */
async function loadBatch(
  batch: readonly SnapshotLine[],
  loaded: Record<SnapshotLine['kind'] | 'created' | 'unproven', number>,
  work: LeasedWork,
): Promise<void> {
  const { redis, keys, token, signal } = work;
  signal.throwIfAborted();
  const outcomes = await loadLines(redis, keys, token, batch);
  // What was noted as missing or deleted is not verified, nor what the catalog has otherwise.
  const open = batch.filter(
    (line, index): line is SnapshotRecord =>
      line.kind === 'record' && line.status === 'saving' && isThere.has(outcomes[index] ?? 'stale'),
  );
  loaded.unproven += await verifyRecords(open, work);
  loaded.created += outcomes.filter((outcome) => outcome === 'created' || outcome === 'updated').length;
  for (const { kind } of batch) loaded[kind] += 1;
}

const isThere: ReadonlySet<string> = new Set(['created', 'updated', 'unchanged']);
