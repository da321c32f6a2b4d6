import { noteFolderHost } from '@holdfast/shared/catalog-host';
import { readSettings, type HostSettings } from '@holdfast/foundation/config';
import { HoldfastError, toHoldfastError } from '@holdfast/foundation/errors';
import { createMediaHost } from '@holdfast/shared/media-host';
import type { LeasedWork } from '../sync-run/sync-dependencies.js';
import { moveAll, noResult, type MoveCounts, type MoveProblem } from '../move/move-all.js';
import { UsageError, type Command, type CommandResult } from './run-command.js';
import { requestSync, withLease } from './catalog-commands.js';

const PROGRESS_EVERY_MS = 2_000;

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
  const { identity } = leased.host;
  return {
    exitCode: 0,
    report: { catalogHost: identity, forgotten: true },
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
  const host = await createMediaHost(settings, { uploadSlots: 1, log: leased.log });
  const result = noResult();
  const { counts, problems } = result;
  let error: { code: string; message: string } | null = null;
  try {
    const source = { settings, host };
    const options = { deps: leased, source, dryRun, onProgress: progressLine() };
    await moveAll(options, result);
  } catch (thrown) {
    const { code, message } = toHoldfastError(thrown);
    error = interrupted.aborted ? { code: 'SHUTTING_DOWN', message: 'interrupted' } : { code, message };
  } finally {
    await host.close();
  }
  const complete = error === null && counts.failed === 0;
  let syncRunId: string | null = null;
  if (complete && !dryRun) {
    await belongHere(leased);
    // It looks at all of it again, with the rules that hold from now on.
    syncRunId = await requestSync(leased, 'full');
  }
  // Of a catalog that did not say it: some of it is there, and some is here.
  if (!complete && !dryRun) await leased.catalogHost.begin(host.identity);
  const ends = { dryRun, complete, ...counts, problems, error, syncRunId };
  return {
    exitCode: complete ? 0 : 1,
    report: { from: host.identity, to: leased.host.identity, ...ends },
    text: [...textOf(ends)].join('\n'),
  };
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function progressLine(): (counts: Readonly<MoveCounts>) => void {
  let shownAt = performance.now();
  return ({ listed, moved, bytes, failed }) => {
    if (performance.now() - shownAt < PROGRESS_EVERY_MS) return;
    shownAt = performance.now();
    const moving = `${String(moved)} moved (${megabytes(bytes)}), ${String(failed)} failed`;
    process.stderr.write(`${moving}, ${String(listed)} listed so far\n`);
  };
}

interface Ends extends MoveCounts {
  dryRun: boolean;
  complete: boolean;
  problems: readonly MoveProblem[];
  error: { code: string; message: string } | null;
  syncRunId: string | null;
}

const passedOver = {
  already: 'there already',
  deleted: 'deleted here',
  uncommitted: 'never acknowledged',
  outside: 'outside of CLOUDINARY_SYNC_PREFIX',
} as const;

function* textOf(ends: Ends): Generator<string> {
  const { dryRun, complete, problems, error, syncRunId, moved, bytes, failed } = ends;
  yield `${String(moved)} file(s), ${megabytes(bytes)}, ${dryRun ? 'would be moved' : 'were moved'}.`;
  for (const name of ['already', 'deleted', 'uncommitted', 'outside'] as const)
    if (ends[name] > 0) yield `Not copied: ${String(ends[name])} ${passedOver[name]}.`;
  for (const { publicId, code, message } of problems) yield `  ${publicId}: ${code}: ${message}`;
  if (failed > problems.length) yield `  and ${String(failed - problems.length)} more`;
  if (error !== null) yield `Stopped: ${error.code}: ${error.message}`;
  if (!complete && !dryRun) yield 'Not everything was moved. Run the command again to continue.';
  if (syncRunId !== null)
    yield `The catalog belongs to the configured host now. Sync ${syncRunId} covers all of it.`;
}
