import { readSettings, type Environment, type Settings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { createMediaHost, type MediaHostOptions } from '@holdfast/shared/media-host';
import type { Command } from '../commands/run-command.js';
import { runChecks, type Row } from './check.js';
import { hostChecks } from './host-checks.js';
import { machineChecks } from './machine-checks.js';
import { PART_BYTES } from './test-files.js';

export const doctor: Command = {
  summary: 'try everything that Holdfast assumes of this machine, its Redis and its media host',
  details: [
    'Puts a few test files on the host, named <CLOUDINARY_FOLDER>/doctor-test-..., and removes them; touches no other file.',
    'Makes at most 20 calls of the Admin API and takes about half a minute. Safe beside a running deployment.',
    'Exit code 0: all is well, or Holdfast copes with what differs (note). 1: something is wrong (ERROR).',
  ].join('\n'),
  run: async (env, _args, signal) => {
    const settings = readSettings(env);
    const diagnosis = await runDoctor({ settings, env, signal, progress: showProgress });
    showProgress('');
    const { rows, interrupted } = diagnosis;
    const isWell = !interrupted && rows.every(({ severity }) => severity !== 'error');
    return {
      exitCode: isWell ? 0 : 1,
      report: { well: isWell, host: settings.host.kind, folder: settings.host.folder, ...diagnosis },
      text: reportText(diagnosis),
    };
  },
};

/** At a terminal: one line that the next one replaces. */
function showProgress(name: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${name === '' ? '' : `${name} ...`}`);
}

export interface DoctorOptions {
  settings: Settings;
  env: Environment;
  signal: AbortSignal;
  /** Between two looks at what a listing or the search may show late. */
  longestPauseMs?: number;
  /** Called with the name of each check as it begins. */
  progress?: (name: string) => void;
  hostOptions?: Pick<MediaHostOptions, 'timeouts'>;
}

/** What the doctor found, with how many metered calls; `interrupted`: not everything was tried. */
export type Diagnosis = Awaited<ReturnType<typeof runDoctor>>;

/** Enough for the file in parts over a slow connection. */
const LONGEST_MS = 10 * 60_000;

/** Runs all checks, one after the other. Removes what they put on the host, also after an interruption. */
export async function runDoctor(options: DoctorOptions) {
  const { settings, env, longestPauseMs = Infinity, progress = () => undefined, hostOptions } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(LONGEST_MS)]);
  const { ofMachine, ofRedis } = machineChecks(settings, env);
  const rows = await runChecks('This installation', ofMachine, { signal, progress });
  rows.push(...(await runChecks('Redis server', ofRedis, { signal, progress })));
  // The report says what a log would.
  const quiet = { log: silentLogger, maxRequestBytes: PART_BYTES };
  const host = await createMediaHost(settings.host, { ...quiet, ...hostOptions });
  try {
    const group =
      settings.host.kind === 'local' ? 'Local host' : `Cloudinary account ${settings.host.cloudName}`;
    const checks = hostChecks(host, settings, { signal, longestPauseMs });
    rows.push(...(await runChecks(group, checks, { signal, progress })));
    return { rows, adminCalls: host.meteredCalls(), interrupted: signal.aborted };
  } finally {
    await host.close();
  }
}

const marks: Readonly<Record<Row['severity'], string>> = {
  ok: 'ok',
  note: 'note',
  error: 'ERROR',
  skipped: '-',
};

/** The report for people: the rows of each group, what follows from each difference, and the counts. */
function reportText({ rows, adminCalls, interrupted }: Diagnosis): string {
  const lines = rows.flatMap(({ group, severity, name, found, means, fix }, index) => [
    ...(group === rows[index - 1]?.group ? [] : ['', group]),
    `  ${marks[severity].padEnd(7)}${name.padEnd(19)}${found}`,
    ...[means, fix].flatMap((text) => (text === undefined ? [] : [`         | ${text}`])),
  ]);
  const count = (severity: Row['severity']): string =>
    String(rows.filter((row) => row.severity === severity).length);
  const counts = `${count('ok')} ok, ${count('note')} noted, ${count('error')} wrong, ${count('skipped')} not run.`;
  const calls = adminCalls === 0 ? '' : ` ${String(adminCalls)} Admin calls made.`;
  const end = interrupted ? ' Interrupted: not everything was tried.' : '';
  return `${lines.join('\n')}\n\n${counts}${calls}${end}\n`;
}
