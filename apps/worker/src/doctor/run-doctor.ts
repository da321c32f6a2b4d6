import type { CloudinarySettings, Environment, LocalHostSettings } from '@holdfast/foundation/config';
import { doctorPrefix, newMediaId } from '@holdfast/shared/media';
import { createMediaHost } from '@holdfast/shared/media-host';
import { accountChecks, lastChecks, listingChecks } from './account-checks.js';
import { runChecks, type Row } from './check.js';
import { fileChecks } from './file-checks.js';
import { localChecks, type LocalTrial } from './local-checks.js';
import { machineChecks, redisChecks, type MachineTrial } from './machine-checks.js';
import { MAX_ADMIN_CALLS, openTrial, type TrialOptions } from './trial.js';

/** What the doctor found. */
export interface Diagnosis {
  rows: Row[];
  /** Metered calls that were made. */
  adminCalls: number;
  /** Not everything was tried. */
  interrupted: boolean;
}

export interface DoctorOptions
  extends
    Pick<TrialOptions, 'settings' | 'log' | 'signal' | 'timeouts'>,
    Partial<Pick<TrialOptions, 'patienceMs' | 'slowMs'>> {
  env: Environment;
  /** Receives the name of each check as it begins. */
  progress?: (name: string) => void;
}

/** Enough for the file in parts over a slow line. */
const LONGEST_MS = 10 * 60_000;

/** Runs all checks for the configured host, one after the other. Removes what they put there, also after an interruption. */
export async function runDoctor(options: DoctorOptions): Promise<Diagnosis> {
  const { settings, env, log, progress = () => undefined } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(LONGEST_MS)]);
  const run = { patienceMs: 30_000, slowMs: 1_000, ...options, signal, progress, runId: newMediaId() };
  const machine: MachineTrial = { settings, env, runId: run.runId, log, redis: null };
  const rows = await runChecks('This installation', machineChecks, machine, run);
  if (machine.redis !== null) rows.push(...(await runChecks('Redis server', redisChecks, machine, run)));
  const { host } = settings;
  const onHost = host.kind === 'cloudinary' ? await examineAccount(host, run) : await examineLocal(host, run);
  return { ...onHost, rows: [...rows, ...onHost.rows], interrupted: signal.aborted };
}

type Run = Omit<TrialOptions, 'cloud'> & { progress: (name: string) => void };
type OnHost = Omit<Diagnosis, 'interrupted'>;

async function examineAccount(cloud: CloudinarySettings, run: Run): Promise<OnHost> {
  const trial = openTrial({ ...run, cloud });
  const group = `Cloudinary account ${cloud.cloudName}`;
  try {
    const rows = await runChecks(group, [...accountChecks, ...fileChecks, ...listingChecks], trial, run);
    const always = { ...run, signal: new AbortController().signal };
    return {
      rows: [...rows, ...(await runChecks(group, lastChecks, trial, always))],
      adminCalls: trial.adminCalls(),
    };
  } finally {
    trial.account.close();
  }
}

async function examineLocal({ folder }: LocalHostSettings, run: Run): Promise<OnHost> {
  const { settings, log, runId, signal } = run;
  const host = await createMediaHost(settings.host, { uploadSlots: 1, log });
  const ref = { publicId: `${doctorPrefix(folder)}${runId}-image`, resourceType: 'image' } as const;
  const trial: LocalTrial = { host, folder, runId, signal, ref };
  try {
    const rows = await runChecks('Local host', localChecks, trial, run);
    const found = 'not run: no Cloudinary account is configured';
    rows.push({ group: 'Cloudinary', name: 'Account', severity: 'skipped', expected: 'configured', found });
    return { rows, adminCalls: 0 };
  } finally {
    await host.remove(ref).catch(() => undefined);
    await host.close();
  }
}

const WIDTH = 100;
const columns = { mark: 9, name: 19, expected: 33 } as const;
const FOUND = WIDTH - columns.mark - columns.name - columns.expected;
const marks: Readonly<Record<Row['severity'], string>> = {
  ok: 'ok',
  note: 'note',
  error: 'ERROR',
  skipped: '-',
};

/** The report for people: a table for each group, what follows from each difference, and the counts. */
export function reportText({ rows, adminCalls, interrupted }: Diagnosis): string {
  const groups = [...new Set(rows.map(({ group }) => group))];
  const tables = groups.map((group) => {
    const before = columns.mark + columns.name;
    const title = group.length < before ? group.padEnd(before) : `${group}\n${''.padEnd(before)}`;
    const lines = rows.filter((row) => row.group === group).flatMap(rowLines);
    return `${title}${'expected'.padEnd(columns.expected)}found\n${lines.join('\n')}\n`;
  });
  const count = (severity: Row['severity']): string =>
    String(rows.filter((row) => row.severity === severity).length);
  const counts = `${count('ok')} ok, ${count('note')} noted, ${count('error')} wrong, ${count('skipped')} not run.`;
  const calls =
    adminCalls === 0 ? '' : ` ${String(adminCalls)} of at most ${String(MAX_ADMIN_CALLS)} Admin calls made.`;
  const end = interrupted ? ' Interrupted: not everything was tried.' : '';
  return `${tables.join('\n')}\n${counts}${calls}${end}\n`;
}

function rowLines({ severity, name, expected, found, means, fix }: Row): string[] {
  const { mark, name: named, expected: wanted } = columns;
  const start = `  ${marks[severity].padEnd(mark - 2)}${name.padEnd(named)}${expected.padEnd(wanted)}`;
  const more = [means, fix].filter((text) => text !== undefined).join(' ');
  return [
    ...wrap(found, FOUND).map((line, index) => `${index === 0 ? start : ' '.repeat(start.length)}${line}`),
    ...wrap(more, WIDTH - mark - 2).map((line) => `${' '.repeat(mark)}| ${line}`),
  ];
}

/** Lines of whole words; a longer word is cut. */
function wrap(text: string, width: number): string[] {
  const line = new RegExp(`.{1,${String(width)}}(?= |$)|.{1,${String(width)}}`, 'g');
  return (text.match(line) ?? []).map((part) => part.trim()).filter((part) => part !== '');
}
