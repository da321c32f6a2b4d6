import { setMaxListeners } from 'node:events';
import { HoldfastError, isHoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import { hostOfUrl, isOnAnotherHost, resourceTypes, type MediaRecord } from '@holdfast/shared/media';
import { isCircuitOpen, type AssetPage, type HostAsset } from '@holdfast/shared/media-host';
import { createDeletionNotes } from '@holdfast/shared/snapshot';
import { hostFiles, loadDeletions } from '../snapshot/load-deletions.js';
import { fetchPatiently, inParallel } from '../sync-run/host-calls.js';
import { verifyRecords, type ExpectedRecord } from '../verify/verify-records.js';
import { moveFile, planMove, type MoveParts, type Outcome } from './move-file.js';

const PAGE_SIZE = 500;
/** Each holds one file that is on its way, or one part of a large one. */
const FILES_AT_ONCE = 8;
const PROBLEMS_SHOWN = 100;

export interface MoveProblem {
  id: string | null;
  publicId: string;
  code: string;
  message: string;
}

/** `moved`: in a dry run, what would be. */
export interface MoveCounts extends Record<Outcome, number> {
  listed: number;
  /** Of the moved. */
  bytes: number;
  failed: number;
}

export interface MoveResult {
  counts: MoveCounts;
  /** The first of them. */
  problems: MoveProblem[];
  /** Public ids of all of them. */
  failed: Set<string>;
}

/** Of a move that has done nothing yet. */
export function noResult(): MoveResult {
  const outcomes = { moved: 0, already: 0, deleted: 0, uncommitted: 0, outside: 0, busy: 0 };
  return { counts: { listed: 0, bytes: 0, failed: 0, ...outcomes }, problems: [], failed: new Set() };
}

export interface MoveOptions extends MoveParts {
  dryRun: boolean;
  onProgress: (counts: Readonly<MoveCounts>) => void;
}

/**
 * Copies what the source has, page by page, and points the records to it. Takes nothing off the source. `result` is filled as it
 * goes, so that an interrupted move can say how far it came. Rejects where going on makes no sense.
 */
export async function moveAll(options: MoveOptions, result: MoveResult): Promise<void> {
  const { deps, source, dryRun } = options;
  const { settings, signal } = deps;
  setMaxListeners(0, signal);
  if (!dryRun) await repeatDeletions(options);
  for (const resourceType of resourceTypes) {
    let cursor: string | null = null;
    do {
      const after: string | null = cursor;
      const page: AssetPage = await fetchPatiently(
        () => source.host.list({ resourceType, cursor: after, limit: PAGE_SIZE, signal }),
        settings.jobs.backoffMs,
        signal,
      );
      result.counts.listed += page.assets.length;
      await movePage(page.assets, options, result);
      cursor = page.nextCursor;
    } while (cursor !== null);
  }
  if (!dryRun) await settleRest(options, result);
}

/** Redis may have been emptied since: what was deleted must not come along. */
async function repeatDeletions({ deps, source }: MoveOptions): Promise<void> {
  for (const host of [source.host, deps.host]) {
    const files = hostFiles(host, deps);
    if (!(await loadDeletions(await files.list(), files, deps)))
      throw new HoldfastError('HOST_REJECTED', `the notes of deletions on ${host.identity} cannot be read`);
  }
}

async function movePage(
  assets: readonly HostAsset[],
  options: MoveOptions,
  result: MoveResult,
): Promise<void> {
  const { counts } = result;
  const { deps, dryRun } = options;
  const unproven: ExpectedRecord[] = [];
  await inParallel(assets, FILES_AT_ONCE, async (asset) => {
    const { publicId, bytes } = asset;
    try {
      const { outcome, open } = dryRun
        ? { outcome: await planned(asset, options), open: null }
        : await fetchPatiently(() => moveFile(asset, options), deps.settings.jobs.backoffMs, deps.signal);
      counts[outcome] += 1;
      if (outcome === 'moved') counts.bytes += bytes;
      if (open !== null) unproven.push(open);
      const message = 'a job is still changing this file: let a worker run, and move again';
      if (outcome === 'busy') addProblem(result, { id: null, publicId, code: 'MEDIA_UNSETTLED', message });
    } catch (error) {
      // What would stop every other file as well ends the move.
      if (deps.signal.aborted || isCircuitOpen(error) || !isHoldfastError(error, ...ofOneFile)) throw error;
      const { code, message } = error;
      addProblem(result, { id: null, publicId, code, message });
    }
    options.onProgress(counts);
  });
  await verifyRecords(unproven, deps);
}

const ofOneFile: readonly ErrorCode[] = [
  'CONFIG_INVALID',
  'HOST_REJECTED',
  'HOST_TIMEOUT',
  'HOST_LIMIT',
  'HOST_CONTENT_MISMATCH',
  'HOST_CONTEXT_UNWRITABLE',
  'MEDIA_NOT_FOUND',
  'ASSET_UNREADABLE',
];

/** A job works on a record for a moment only. */
async function planned(asset: HostAsset, { deps }: MoveOptions): Promise<Outcome> {
  const { outcome } = await planMove(asset, deps);
  return outcome === 'busy' ? 'moved' : outcome;
}

function addProblem({ counts, problems, failed }: MoveResult, problem: MoveProblem): void {
  counts.failed += 1;
  failed.add(problem.publicId);
  if (problems.length < PROBLEMS_SHOWN) problems.push(problem);
}

/**
 * What is left in the catalog of the earlier host: deletions that need not be confirmed there any more, and records of files
 * that were not moved. No listing shows a file that is not there.
 */
async function settleRest({ deps, source }: MoveOptions, result: MoveResult): Promise<void> {
  const { catalog, host, deletionNotes, settings, signal, log } = deps;
  // Their files stay on the earlier host, which must not give them again from a snapshot.
  const notes = { folder: settings.host.folder, snapshots: settings.sync.snapshots };
  const there = createDeletionNotes(source.host, notes, log);
  let cursor: string | null = null;
  do {
    const page = await catalog.list({ limit: 100, order: 'oldest', ...(cursor === null ? {} : { cursor }) });
    const left = page.items.filter(
      ({ url, status }) => isOnAnotherHost(url, host.identity) && status !== 'missing',
    );
    const deleted: MediaRecord[] = [];
    for (const record of left) {
      const { id, publicId, url, status } = record;
      if (status === 'deleting' && hostOfUrl(url) === source.host.identity) deleted.push(record);
      else if (!result.failed.has(publicId))
        addProblem(result, {
          id,
          publicId,
          code: 'MEDIA_NOT_FOUND',
          message: 'the earlier host does not list this file',
        });
    }
    await Promise.all(deleted.flatMap(({ id }) => [deletionNotes.add(id, signal), there.add(id, signal)]));
    for (const { id, assetId } of deleted) await catalog.finishDelete(id, assetId);
    cursor = page.nextCursor;
  } while (cursor !== null);
}
