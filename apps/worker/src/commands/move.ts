import { noteFolderHost } from '@holdfast/shared/catalog-host';
import { readMoveSource, readSettings, type HostSettings } from '@holdfast/foundation/config';
import { toHoldfastError } from '@holdfast/foundation/errors';
import { syncJob } from '@holdfast/shared/jobs';
import { newMediaId } from '@holdfast/shared/media';
import { createMediaHost } from '@holdfast/shared/media-host';
import type { LeasedWork } from '../sync-run/sync-dependencies.js';
import { moveAll, noResult, type MoveCounts, type MoveResult } from '../move/move-all.js';
import { UsageError, type Command, type CommandArguments, type CommandResult } from './run-command.js';
import { withLease } from './catalog-commands.js';

const BUSY_FOR_MS = 60_000;
const PROGRESS_EVERY_MS = 2_000;

/** Exit code 1 where a file was not moved; the catalog then stays with the earlier host, and the command goes on where it stopped. */
export const move: Command = {
  summary: 'copy every file from an earlier media host to the configured one',
  details: [
    '--from local reads DATA_DIR/media. --from cloudinary reads the account in MOVE_FROM_CLOUDINARY_URL.',
    'Ids, fields, checksums and dates stay. Nothing is taken away from the earlier host.',
    'API and workers may run. After an interruption, run it again: what is there already is not copied twice.',
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
  run: async (env, args, interrupted) => {
    const from = sourceOf(args);
    const source = readMoveSource(env, from);
    const target = readSettings(env).host;
    if (identityOf(source) === identityOf(target))
      throw new UsageError(`--from ${from} is the configured media host: configure the one to copy to`);
    return withLease(env, interrupted, (leased) =>
      args['forget'] === true ? forget(leased) : copy(leased, source, args['dry-run'] === true, interrupted),
    );
  },
};

function sourceOf({ from, forget: giveUp, 'dry-run': dryRun }: CommandArguments): 'local' | 'cloudinary' {
  if (from !== 'local' && from !== 'cloudinary') throw new UsageError('--from must be local or cloudinary');
  if (giveUp === true && dryRun === true) throw new UsageError('--forget and --dry-run exclude each other');
  return from;
}

function identityOf(settings: HostSettings): string {
  return settings.kind === 'local' ? settings.kind : settings.cloudName;
}

async function forget(leased: LeasedWork): Promise<CommandResult> {
  await belongHere(leased);
  const { identity } = leased.host;
  return {
    exitCode: 0,
    report: { catalogHost: identity, forgotten: true },
    text: [
      'The catalog belongs to the configured media host now. No file was copied.',
      'The next full sync marks missing what this host does not have. It holds many back: start it with force=true then.',
    ].join('\n'),
  };
}

/** Also in the data folder, which the next emptied Redis will ask. */
async function belongHere({ catalogHost, host, settings, log }: LeasedWork): Promise<void> {
  await catalogHost.set(host.identity);
  await noteFolderHost(settings.dataDir, host.identity).catch((error: unknown) => {
    log.warn('host.not_noted', { error });
  });
}

async function copy(
  leased: LeasedWork,
  settings: HostSettings,
  dryRun: boolean,
  interrupted: AbortSignal,
): Promise<CommandResult> {
  const host = await createMediaHost(settings, { uploadSlots: 1, log: leased.log });
  const result = noResult();
  let failure: { code: string; message: string } | null = null;
  try {
    const progress = progressLine();
    await moveAll(
      { deps: leased, source: { settings, host }, dryRun, busyForMs: BUSY_FOR_MS, onProgress: progress },
      result,
    );
  } catch (error) {
    const { code, message } = toHoldfastError(error);
    failure = interrupted.aborted ? { code: 'SHUTTING_DOWN', message: 'interrupted' } : { code, message };
  } finally {
    await host.close();
  }
  const complete = failure === null && result.counts.failed === 0;
  const syncRunId = complete && !dryRun ? await finish(leased) : null;
  // Of a catalog that did not say it: some of it is there, and some is here.
  if (!complete && !dryRun) await leased.catalogHost.begin(host.identity);
  return {
    exitCode: complete ? 0 : 1,
    report: {
      from: host.identity,
      to: leased.host.identity,
      dryRun,
      complete,
      ...result.counts,
      problems: result.problems,
      error: failure,
      syncRunId,
    },
    text: textOf(result, { dryRun, complete, failure, syncRunId }),
  };
}

/** The sync looks at all of it again, with the rules that hold from now on. */
async function finish(leased: LeasedWork): Promise<string> {
  await belongHere(leased);
  const runId = newMediaId();
  await leased.queues.add(syncJob, { trigger: 'manual', mode: 'full', runId, dryRun: false, force: false });
  return runId;
}

function progressLine(): (counts: Readonly<MoveCounts>) => void {
  let shownAt = performance.now();
  return ({ listed, moved, bytes, failed }) => {
    if (performance.now() - shownAt < PROGRESS_EVERY_MS) return;
    shownAt = performance.now();
    const megabytes = (bytes / 1e6).toFixed(1);
    process.stderr.write(
      `${String(moved)} moved (${megabytes} MB), ${String(failed)} failed, ${String(listed)} listed so far\n`,
    );
  };
}

interface Ended {
  dryRun: boolean;
  complete: boolean;
  failure: { code: string; message: string } | null;
  syncRunId: string | null;
}

function textOf({ counts, problems }: MoveResult, { dryRun, complete, failure, syncRunId }: Ended): string {
  const megabytes = (counts.bytes / 1e6).toFixed(1);
  const passed = (['already', 'deleted', 'uncommitted', 'outside'] as const)
    .filter((name) => counts[name] > 0)
    .map((name) => `${String(counts[name])} ${passedWords[name]}`);
  return [
    `${String(counts.moved)} file(s), ${megabytes} MB, ${dryRun ? 'would be moved' : 'were moved'}.`,
    ...(passed.length === 0 ? [] : [`Not copied: ${passed.join(', ')}.`]),
    ...problems.map(({ publicId, code, message }) => `  ${publicId}: ${code}: ${message}`),
    ...(counts.failed > problems.length ? [`  and ${String(counts.failed - problems.length)} more`] : []),
    ...(failure === null ? [] : [`Stopped: ${failure.code}: ${failure.message}`]),
    ...(complete || dryRun ? [] : ['Not everything was moved. Run the command again to go on.']),
    ...(syncRunId === null
      ? []
      : [`The catalog belongs to the configured host now. Sync ${syncRunId} looks at all of it.`]),
  ].join('\n');
}

const passedWords = {
  already: 'there already',
  deleted: 'deleted here',
  uncommitted: 'never acknowledged',
  outside: 'outside of CLOUDINARY_SYNC_PREFIX',
} as const;
