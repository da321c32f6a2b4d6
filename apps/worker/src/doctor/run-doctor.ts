import { readSettings, type Environment, type Settings } from '@holdfast/foundation/config';
import { createLogger, type Logger } from '@holdfast/foundation/logging';
import { newMediaId } from '@holdfast/shared/media';
import { createMediaHost, type MediaHostOptions } from '@holdfast/shared/media-host';
import type { Command } from '../commands/run-command.js';
import { runChecks, type Row } from './check.js';
import { checksOf, cleanUp, type HostTrial } from './host-checks.js';
import { machineChecks, redisChecks, type MachineTrial } from './machine-checks.js';
import { doctorParts } from './test-files.js';

export const doctor: Command = {
  summary: 'try everything that Holdfast assumes of this machine, its Redis and its media host',
  details: [
    'Puts a few test files on the host, named <CLOUDINARY_FOLDER>/doctor-test-..., and removes them; touches no other file.',
    'Makes at most 20 calls of the Admin API and takes about half a minute. Safe beside a running deployment.',
    'Exit code 0: all is well, or Holdfast copes with what differs (note). 1: something is wrong (ERROR).',
  ].join('\n'),
  run: async (env, _args, signal) => {
    const settings = readSettings(env);
    const diagnosis = await runDoctor({
      settings,
      env,
      // The report says what a log would.
      log: createLogger({ ...settings.log, level: 'silent' }, {}, 'stderr'),
      signal,
      ...(process.stderr.isTTY ? { progress: showProgress } : {}),
    });
    if (process.stderr.isTTY) showProgress('');
    const { rows, interrupted } = diagnosis;
    const isWell = !interrupted && rows.every(({ severity }) => severity !== 'error');
    return {
      exitCode: isWell ? 0 : 1,
      report: { well: isWell, host: settings.host.kind, folder: settings.host.folder, ...diagnosis },
      text: reportText(diagnosis),
    };
  },
};

/** One line that the next one replaces. */
function showProgress(name: string): void {
  process.stderr.write(`\r\u001B[K${name === '' ? '' : `${name} ...`}`);
}

/** What the doctor found. */
export interface Diagnosis {
  rows: Row[];
  /** Metered calls that were made. */
  adminCalls: number;
  /** Not everything was tried. */
  interrupted: boolean;
}

export interface DoctorOptions extends Pick<MediaHostOptions, 'timeouts'> {
  settings: Settings;
  env: Environment;
  log: Logger;
  signal: AbortSignal;
  /** How long listings and the search are asked again for what they do not show yet. */
  patienceMs?: number;
  /** Called with the name of each check as it begins. */
  progress?: (name: string) => void;
}

/** Enough for the file in parts over a slow connection. */
const LONGEST_MS = 10 * 60_000;

/** Runs all checks, one after the other. Removes what they put on the host, also after an interruption. */
export async function runDoctor(options: DoctorOptions): Promise<Diagnosis> {
  const { settings, env, log, patienceMs = 30_000, progress = () => undefined, timeouts } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(LONGEST_MS)]);
  const run = { signal, progress };
  const machine: MachineTrial = { settings, env, log, redis: null };
  const rows = await runChecks('This installation', machineChecks, machine, run);
  if (machine.redis !== null)
    rows.push(...(await runChecks('Redis server', redisChecks, machine.redis, run)));
  const host = await createMediaHost(settings.host, {
    uploadSlots: 1,
    log,
    parts: doctorParts,
    ...(timeouts === undefined ? {} : { timeouts }),
  });
  try {
    const seen = { sent: null, storedAt: 0, image: null };
    const trial: HostTrial = { host, settings, runId: newMediaId(), signal, patienceMs, ...seen };
    const group =
      settings.host.kind === 'local' ? 'Local host' : `Cloudinary account ${settings.host.cloudName}`;
    rows.push(...(await runChecks(group, checksOf(host), trial, run)));
    rows.push(
      ...(await runChecks(group, [cleanUp], trial, { progress, signal: new AbortController().signal })),
    );
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
