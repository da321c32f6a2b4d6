import { setMaxListeners } from 'node:events';
import { readSettings, type HostSettings } from '@holdfast/foundation/config';
import { HoldfastError, isHoldfastError, toHoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import { noteFolderHost } from '@holdfast/shared/catalog-host';
import { hostOfUrl, isOnAnotherHost, resourceTypes, type MediaRecord } from '@holdfast/shared/media';
import {
  createMediaHost,
  isCircuitOpen,
  type AssetPage,
  type HostAsset,
  type MediaHost,
} from '@holdfast/shared/media-host';
import { createDeletionNotes } from '@holdfast/shared/snapshot';
import { loadDeletions } from '../snapshot/load-deletions.js';
import { fetchPatiently, inParallel } from '../sync-run/host-calls.js';
import type { LeasedWork } from '../sync-run/sync-session.js';
import { verifyRecords } from '../verify/verify-records.js';
import { requestSync, withLease } from './catalog-commands.js';
import { moveFile, type MoveParts, type Outcome } from './move-file.js';
import { UsageError, type Command, type CommandResult } from './run-command.js';

/** Exit code 1 where a file was not moved; the catalog then stays with the earlier host, and the command resumes where it stopped. */
export const move: Command = {
  summary: 'copy every file from an earlier media host to the configured one',
  details: [
    '--from local reads DATA_DIR/media. --from cloudinary reads the account in MOVE_FROM_CLOUDINARY_URL.',
    'Ids, fields, checksums and dates stay. Nothing is removed from the earlier host.',
    'API and workers may run. After an interruption, run it again: files that were copied are skipped.',
  ].join('\n'),
  options: {
    from: { type: 'string', value: 'local|cloudinary', description: 'the host to copy from' },
    'dry-run': { type: 'boolean', description: 'only count what would be copied' },
    forget: {
      type: 'boolean',
      description:
        'copy nothing: give up the files of the earlier host (the next full sync marks them missing)',
    },
  },
  run: async (env, { from, forget: givesUp, 'dry-run': dryRun }, interrupted) => {
    if (from !== 'local' && from !== 'cloudinary') throw new UsageError('--from must be local or cloudinary');
    if (givesUp === true && dryRun === true)
      throw new UsageError('--forget and --dry-run exclude each other');
    const { earlierHosts, host } = readSettings(env);
    const source = earlierHosts[from];
    if (source === undefined)
      throw new HoldfastError('CONFIG_INVALID', undefined, {
        errors: [{ path: 'MOVE_FROM_CLOUDINARY_URL', message: 'is required: the account to copy from' }],
      });
    if (identityOf(source) === identityOf(host))
      throw new UsageError(`--from ${from} is the configured media host: configure the one to copy to`);
    return withLease(env, interrupted, (leased) =>
      givesUp === true ? forget(leased) : copy(leased, source, dryRun === true, interrupted),
    );
  },
};

function identityOf(settings: HostSettings): string {
  return settings.kind === 'local' ? settings.kind : settings.cloudName;
}

async function forget(leased: LeasedWork): Promise<CommandResult> {
  await belongHere(leased);
  return {
    exitCode: 0,
    report: { catalogHost: leased.host.identity, forgotten: true },
    text: [
      'The catalog belongs to the configured media host now. No file was copied.',
      'The next full sync marks missing what this host does not have. If they are many, it holds back: start it with force=true.',
    ].join('\n'),
  };
}

/** Also in the data folder, which the next emptied Redis will ask. */
async function belongHere({ catalogHost, host, settings, log }: LeasedWork): Promise<void> {
  await catalogHost.set(host.identity);
  await noteFolderHost(settings.dataDir, host.identity, log);
}

async function copy(
  leased: LeasedWork,
  settings: HostSettings,
  dryRun: boolean,
  interrupted: AbortSignal,
): Promise<CommandResult> {
  const host = await createMediaHost(settings, { log: leased.log });
  const moving = beginMove(leased, host, dryRun);
  const { counts, problems } = moving;
  const progress = setInterval(() => {
    const moved = `${String(counts.moved)} moved (${megabytes(counts.bytes)})`;
    process.stderr.write(
      `${moved}, ${String(problems.length)} failed, ${String(counts.listed)} listed so far\n`,
    );
  }, PROGRESS_EVERY_MS);
  let error: HoldfastError | null = null;
  try {
    await moveAll(moving);
  } catch (thrown) {
    error = interrupted.aborted ? new HoldfastError('SHUTTING_DOWN', 'interrupted') : toHoldfastError(thrown);
  } finally {
    clearInterval(progress);
    await host.close();
  }
  const complete = error === null && problems.length === 0;
  let syncRunId: string | null = null;
  if (complete && !dryRun) {
    await belongHere(leased);
    // It looks at all of it again, with the rules that hold from now on.
    syncRunId = await requestSync(leased, 'full');
  }
  // Of a catalog that did not say it: some of it is there, and some is here.
  if (!complete && !dryRun) await leased.catalogHost.begin(host.identity);
  return {
    exitCode: complete ? 0 : 1,
    report: {
      from: host.identity,
      to: leased.host.identity,
      dryRun,
      complete,
      error: error && { code: error.code, message: error.message },
      syncRunId,
      ...counts,
      failed: problems.length,
      problems: problems.slice(0, PROBLEMS_SHOWN),
    },
    text: textOf(moving, error, syncRunId).join('\n'),
  };
}

const PROGRESS_EVERY_MS = 2_000;
const PROBLEMS_SHOWN = 100;

/** Counts and problems are filled as it goes on, so that an interrupted move can say how far it came. */
interface Move extends MoveParts {
  /** `moved`: in a dry run, what would be. `bytes`: of the moved. */
  counts: Record<Outcome | 'listed' | 'bytes', number>;
  /** One for each file that was not moved. */
  problems: { id: string | null; publicId: string; code: string; message: string }[];
}

export function beginMove(deps: LeasedWork, source: MediaHost, dryRun: boolean): Move {
  const outcomes = { moved: 0, already: 0, deleted: 0, uncommitted: 0, outside: 0, busy: 0 };
  return { deps, source, dryRun, unproven: [], counts: { listed: 0, ...outcomes, bytes: 0 }, problems: [] };
}

const PAGE_SIZE = 500;
/** Each holds one file that is on its way, or one part of a large one. */
const FILES_AT_ONCE = 8;

/**
 * Copies what the source has, page by page, and points the records to it. Takes nothing off the source. Rejects where going on
 * makes no sense.
 */
export async function moveAll(moving: Move): Promise<void> {
  const { deps, source, dryRun, counts } = moving;
  const { signal } = deps;
  setMaxListeners(0, signal);
  // Redis may have been emptied since: what was deleted must not come along.
  for (const host of dryRun ? [] : [source, deps.host])
    if (!(await loadDeletions(host, deps)).isComplete)
      throw new HoldfastError('HOST_REJECTED', `the notes of deletions on ${host.identity} cannot be read`);
  for (const resourceType of resourceTypes) {
    let cursor: string | null = null;
    do {
      const request = { resourceType, cursor, limit: PAGE_SIZE, signal };
      const page: AssetPage = await fetchPatiently(() => source.list(request), deps);
      counts.listed += page.assets.length;
      await inParallel(page.assets, FILES_AT_ONCE, (asset) => moveOne(asset, moving));
      await verifyRecords(moving.unproven.splice(0), deps);
      cursor = page.nextCursor;
    } while (cursor !== null);
  }
  if (!dryRun) await settleRest(moving);
}

async function moveOne(asset: HostAsset, moving: Move): Promise<void> {
  const { deps, counts, problems } = moving;
  const { publicId, bytes } = asset;
  try {
    const outcome = await fetchPatiently(() => moveFile(asset, moving), deps);
    counts[outcome] += 1;
    if (outcome === 'moved') counts.bytes += bytes;
    const message = 'a job is still changing this file: let a worker run, and move again';
    if (outcome === 'busy') problems.push({ id: null, publicId, code: 'MEDIA_UNSETTLED', message });
  } catch (error) {
    // What would stop every other file as well ends the move.
    if (deps.signal.aborted || isCircuitOpen(error) || !isHoldfastError(error, ...ofOneFile)) throw error;
    const { code, message } = error;
    problems.push({ id: null, publicId, code, message });
  }
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

/**
 * What is left in the catalog of the earlier host: deletions that need not be confirmed there any more, and records of files
 * that were not moved. No listing shows a file that is not there.
 */
async function settleRest({ deps, source, problems }: Move): Promise<void> {
  const { catalog, host, deletionNotes, settings, signal, log } = deps;
  // Their files stay on the earlier host, which must not give them again from a snapshot.
  const there = createDeletionNotes(source, settings, log);
  const reported = new Set(problems.map(({ publicId }) => publicId));
  const settle = async ({ id, publicId, assetId, status, url }: MediaRecord): Promise<void> => {
    if (!isOnAnotherHost(url, host.identity) || status === 'missing') return;
    if (status === 'deleting' && hostOfUrl(url) === source.identity) {
      await Promise.all([deletionNotes.add(id, signal), there.add(id, signal)]);
      await catalog.finishDelete(id, assetId);
    } else if (!reported.has(publicId)) {
      const message = 'the earlier host does not list this file';
      problems.push({ id, publicId, code: 'MEDIA_NOT_FOUND', message });
    }
  };
  let cursor: string | undefined;
  do {
    const page = await catalog.list({ limit: 100, order: 'oldest', ...(cursor && { cursor }) });
    await Promise.all(page.items.map(settle));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** `error`: why it stopped before all was looked at. */
function textOf(
  { dryRun, counts, problems }: Move,
  error: HoldfastError | null,
  syncRunId: string | null,
): string[] {
  const notCopied = [
    [counts.already, 'there already'],
    [counts.deleted, 'deleted here'],
    [counts.uncommitted, 'never acknowledged'],
    [counts.outside, 'outside of CLOUDINARY_SYNC_PREFIX'],
  ] as const;
  const lines = [
    `${String(counts.moved)} file(s), ${megabytes(counts.bytes)}, ${dryRun ? 'would be moved' : 'were moved'}.`,
  ];
  for (const [count, why] of notCopied) if (count > 0) lines.push(`Not copied: ${String(count)} ${why}.`);
  for (const { publicId, code, message } of problems.slice(0, PROBLEMS_SHOWN))
    lines.push(`  ${publicId}: ${code}: ${message}`);
  const more = problems.length - PROBLEMS_SHOWN;
  if (more > 0) lines.push(`  and ${String(more)} more`);
  if (error !== null) lines.push(`Stopped: ${error.code}: ${error.message}`);
  if (syncRunId !== null)
    lines.push(`The catalog belongs to the configured host now. Sync ${syncRunId} covers all of it.`);
  else if (!dryRun) lines.push('Not everything was moved. Run the command again to continue.');
  return lines;
}
