import { readSettings, type HostSettings } from '@holdfast/foundation/config';
import { HoldfastError, toHoldfastError } from '@holdfast/foundation/errors';
import { noteFolderHost } from '@holdfast/shared/catalog-host';
import { createMediaHost } from '@holdfast/shared/media-host';
import type { LeasedWork } from '../sync-run/sync-session.js';
import { requestSync, withLease } from './catalog-commands.js';
import { beginMove, moveAll, type Move } from './move-files.js';
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
