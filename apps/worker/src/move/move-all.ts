import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { hostOfUrl, isOnAnotherHost, resourceTypes, type MediaRecord } from '@holdfast/shared/media';
import {
  isCircuitOpen,
  type AssetPage,
  type AssetRef,
  type HostAsset,
  type MediaHost,
} from '@holdfast/shared/media-host';
import { finishRemoval } from '@holdfast/shared/removal';
import { noteDeletions } from '@holdfast/shared/snapshot';
import { hostFiles, loadDeletions } from '../snapshot/load-deletions.js';
import { fetchPatiently, inParallel } from '../sync-run/host-calls.js';
import type { ExpectedRecord } from '../verify/read-back.js';
import { verifyRecords } from '../verify/verify-records.js';
import { moveAsset, planMove, type MoveParts, type Passed } from './move-asset.js';

const PAGE_SIZE = 500;
/** Each holds one file that is on its way, or one part of a large one. */
const FILES_AT_ONCE = 8;
const BUSY_AGAIN_MS = 1_000;
const PROBLEMS_SHOWN = 100;

export interface MoveProblem {
  id: string | null;
  publicId: string;
  code: string;
  message: string;
}

export interface MoveCounts extends Record<Passed, number> {
  listed: number;
  /** In a dry run: would be. */
  moved: number;
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
  const passed = { already: 0, deleted: 0, uncommitted: 0, outside: 0, busy: 0 };
  return { counts: { listed: 0, moved: 0, bytes: 0, failed: 0, ...passed }, problems: [], failed: new Set() };
}

export interface MoveOptions extends MoveParts {
  dryRun: boolean;
  /** How long to wait for jobs that are working on a record. */
  busyForMs: number;
  onProgress: (counts: Readonly<MoveCounts>) => void;
}

/**
 * Copies what the source has, page by page, and points the records to it. Takes nothing off the source. `result` is filled as it
 * goes, so that an interrupted move can say how far it came. Rejects where going on makes no sense.
 */
export async function moveAll(options: MoveOptions, result: MoveResult): Promise<void> {
  const { deps, source, dryRun, onProgress } = options;
  const { settings, signal } = deps;
  setMaxListeners(0, signal);
  // Redis may have been emptied since: what was deleted must not come along.
  if (!dryRun) {
    await repeatDeletions(options, source.host, true);
    await repeatDeletions(options, deps.host, false);
  }
  const busy: AssetRef[] = [];
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
      await movePage(page.assets, busy, options, result);
      onProgress(result.counts);
      cursor = page.nextCursor;
    } while (cursor !== null);
  }
  await moveBusy(busy, options, result);
  if (!dryRun) await settleRest(options, result);
}

async function repeatDeletions(
  { deps }: MoveOptions,
  host: MediaHost,
  isEarlierHost: boolean,
): Promise<void> {
  const files = hostFiles(host, deps);
  if (!(await loadDeletions(await files.list(), files, deps)))
    throw new HoldfastError(
      'HOST_REJECTED',
      `the notes of deletions on the ${isEarlierHost ? 'earlier' : 'configured'} host cannot be read`,
    );
}

async function movePage(
  assets: readonly HostAsset[],
  busy: AssetRef[],
  options: MoveOptions,
  result: MoveResult,
): Promise<void> {
  const { counts } = result;
  const { deps, dryRun } = options;
  const unproven: ExpectedRecord[] = [];
  await inParallel(assets, FILES_AT_ONCE, async (asset) => {
    const { publicId, resourceType, bytes } = asset;
    try {
      const { outcome, open } = dryRun
        ? { outcome: await planned(asset, options), open: null }
        : await fetchPatiently(() => moveAsset(asset, options), deps.settings.jobs.backoffMs, deps.signal);
      if (outcome === 'busy') busy.push({ publicId, resourceType });
      else counts[outcome] += 1;
      if (outcome === 'moved') counts.bytes += bytes;
      if (open !== null) unproven.push(open);
      options.onProgress(counts);
    } catch (error) {
      const { code, message } = ofThisFile(error, deps.signal);
      addProblem(result, { id: null, publicId, code, message });
    }
  });
  await verifyRecords(unproven, deps);
}

/** A job works on a record for a moment only. */
async function planned(asset: HostAsset, options: MoveOptions): Promise<Passed | 'moved'> {
  const { pass } = await planMove(asset, options);
  return pass === null || pass === 'busy' ? 'moved' : pass;
}

/** Rethrows what would stop every other file as well. */
function ofThisFile(error: unknown, signal: AbortSignal): HoldfastError {
  const isOfAll =
    signal.aborted ||
    isCircuitOpen(error) ||
    !isHoldfastError(
      error,
      'HOST_REJECTED',
      'HOST_TIMEOUT',
      'HOST_LIMIT',
      'HOST_CONTENT_MISMATCH',
      'HOST_CONTEXT_UNWRITABLE',
      'MEDIA_NOT_FOUND',
      'ASSET_UNREADABLE',
    );
  if (isOfAll) throw error;
  return error;
}

function addProblem({ counts, problems, failed }: MoveResult, problem: MoveProblem): void {
  counts.failed += 1;
  failed.add(problem.publicId);
  if (problems.length < PROBLEMS_SHOWN) problems.push(problem);
}

/** A job works on a record while it is verified; without a worker it waits. */
async function moveBusy(open: AssetRef[], options: MoveOptions, result: MoveResult): Promise<void> {
  const { deps, source, busyForMs } = options;
  const until = performance.now() + busyForMs;
  let busy = open;
  while (busy.length > 0 && performance.now() < until) {
    await pause(BUSY_AGAIN_MS, undefined, { signal: deps.signal });
    const again: AssetRef[] = [];
    for (let start = 0; start < busy.length; start += PAGE_SIZE) {
      const found = await inParallel(busy.slice(start, start + PAGE_SIZE), FILES_AT_ONCE, (ref) =>
        source.host.find(ref, deps.signal),
      );
      const assets = found.filter((asset) => asset !== null);
      await movePage(assets, again, options, result);
    }
    busy = again;
  }
  result.counts.busy = busy.length;
  for (const { publicId } of busy)
    addProblem(result, {
      id: null,
      publicId,
      code: 'MEDIA_UNSETTLED',
      message: 'a job is still changing this file: let a worker run, and move again',
    });
}

/**
 * What is left in the catalog of the earlier host: deletions that need not be confirmed there any more, and records of files
 * that were not moved. No listing shows a file that is not there.
 */
async function settleRest(options: MoveOptions, result: MoveResult): Promise<void> {
  const { deps, source } = options;
  const { catalog, host, deletionNotes, settings, signal } = deps;
  const { folder } = settings.host;
  let cursor: string | null = null;
  do {
    const page = await catalog.list({
      limit: 100,
      order: 'oldest',
      ...(cursor === null ? {} : { cursor }),
    });
    const left = page.items.filter(({ url, status }) => {
      return isOnAnotherHost(url, host.identity) && status !== 'missing';
    });
    const isDeleted = ({ url, status }: MediaRecord): boolean =>
      status === 'deleting' && hostOfUrl(url) === source.host.identity;
    const deleted = left.filter(isDeleted);
    // Their files stay on the earlier host, which must not give them again from a snapshot.
    const ids = deleted.map(({ id }) => id);
    if (settings.sync.snapshots) await noteDeletions(source.host, folder, ids, signal);
    await Promise.all(ids.map((id) => deletionNotes.add(id, signal)));
    for (const { id, assetId } of deleted) await finishRemoval(catalog, id, assetId);
    for (const record of left) {
      const { id, publicId } = record;
      if (isDeleted(record) || result.failed.has(publicId)) continue;
      const message = 'the earlier host does not list this file';
      addProblem(result, { id, publicId, code: 'MEDIA_NOT_FOUND', message });
    }
    cursor = page.nextCursor;
  } while (cursor !== null);
}
