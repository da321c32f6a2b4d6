import type {
  CloudinarySettings,
  Environment,
  LocalHostSettings,
  Settings,
} from '@holdfast/foundation/config';
import type { Logger } from '@holdfast/foundation/logging';
import { newMediaId } from '@holdfast/shared/media';
import { createMediaHost } from '@holdfast/shared/media-host';
import {
  accountProbes,
  answerTimeProbe,
  cleanUpProbe,
  deleteProbe,
  listingProbes,
} from './account-probes.js';
import { fileProbes } from './file-probes.js';
import { localProbes, localRef, type LocalTrial } from './local-probes.js';
import { machineProbes, type MachineTrial, redisProbes } from './machine-probes.js';
import { type Row, runProbes, type Severity } from './probe.js';
import { MAX_ADMIN_CALLS, openTrial, type TrialOptions } from './trial.js';

/** What the doctor found. */
export interface Diagnosis {
  rows: Row[];
  /** Metered calls that it made. */
  adminCalls: number;
  /** It was ended before it had tried everything. */
  interrupted: boolean;
}

export interface DoctorOptions extends Pick<TrialOptions, 'timeouts'> {
  settings: Settings;
  env: Environment;
  log: Logger;
  signal: AbortSignal;
  /** Receives the name of each probe as it begins. */
  progress?: (name: string) => void;
  /** How long the search is asked again; half a minute unless given. */
  patienceMs?: number;
  /** A second unless given. */
  slowMs?: number;
}

const PATIENCE_MS = 30_000;
const SLOW_MS = 1_000;
/** Enough for the file in parts over a slow line. */
const LONGEST_MS = 10 * 60_000;

/** Runs all probes for the configured host, one after the other. Removes what they put there, also after an interruption. */
export async function runDoctor(options: DoctorOptions): Promise<Diagnosis> {
  const { settings, env, log } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(LONGEST_MS)]);
  const progress = options.progress ?? (() => undefined);
  const runId = newMediaId();
  const machine: MachineTrial = { settings, env, runId, log, redis: null };
  const rows = await runProbes('This installation', machineProbes, machine, { signal, progress });
  if (machine.redis !== null)
    rows.push(...(await runProbes('Redis server', redisProbes, machine, { signal, progress })));
  const run: HostRun = { ...options, signal, progress, runId };
  const { host } = settings;
  const onHost = host.kind === 'cloudinary' ? await examineAccount(host, run) : await examineLocal(host, run);
  return { ...onHost, rows: [...rows, ...onHost.rows], interrupted: signal.aborted };
}

interface HostRun extends DoctorOptions {
  runId: string;
  progress: (name: string) => void;
}

async function examineAccount(
  cloud: CloudinarySettings,
  { settings, runId, log, signal, progress, timeouts, patienceMs = PATIENCE_MS, slowMs = SLOW_MS }: HostRun,
): Promise<Omit<Diagnosis, 'interrupted'>> {
  const trial = openTrial({
    settings,
    cloud,
    runId,
    log,
    signal,
    patienceMs,
    slowMs,
    ...(timeouts === undefined ? {} : { timeouts }),
  });
  const group = `Cloudinary account ${cloud.cloudName}`;
  try {
    const rows = await runProbes(
      group,
      [...accountProbes, ...fileProbes, ...listingProbes, deleteProbe],
      trial,
      {
        signal,
        progress,
      },
    );
    const always = { signal: new AbortController().signal, progress };
    rows.push(...(await runProbes(group, [cleanUpProbe, answerTimeProbe], trial, always)));
    return { rows, adminCalls: trial.adminCalls() };
  } finally {
    trial.account.close();
  }
}

async function examineLocal(
  local: LocalHostSettings,
  { settings, runId, log, signal, progress }: HostRun,
): Promise<Omit<Diagnosis, 'interrupted'>> {
  const host = await createMediaHost(settings.host, { uploadSlots: 1, log });
  const ref = localRef(local, runId);
  const trial: LocalTrial = { host, local, runId, signal, ref, stored: null };
  try {
    const rows = await runProbes('Local host', localProbes, trial, { signal, progress });
    return {
      rows: [
        ...rows,
        {
          group: 'Cloudinary',
          name: 'Account',
          outcome: 'skipped',
          severity: 'skipped',
          expected: 'configured',
          found: 'not run: no Cloudinary account is configured',
        },
      ],
      adminCalls: 0,
    };
  } finally {
    if (trial.stored !== null) await host.remove(ref).catch(() => undefined);
    await host.close();
  }
}

const WIDTH = 100;
const columns = { mark: 9, name: 19, expected: 33 } as const;
const FOUND = WIDTH - columns.mark - columns.name - columns.expected;
const marks: Record<Severity, string> = { ok: 'ok', note: 'note', error: 'ERROR', skipped: '-' };

/** The table for people, and one line that sums it up. */
export function reportText({ rows, adminCalls, interrupted }: Diagnosis): string {
  const groups = [...new Set(rows.map(({ group }) => group))];
  const tables = groups.map((group) => {
    const lines = rows.filter((row) => row.group === group).flatMap(rowLines);
    return `${heading(group)}\n${lines.join('\n')}\n`;
  });
  const end = interrupted ? ' Interrupted: not everything was tried.' : '';
  return `${tables.join('\n')}\n${summary(rows, adminCalls)}${end}\n`;
}

function heading(group: string): string {
  const before = columns.mark + columns.name;
  const title = group.length < before ? group.padEnd(before) : `${group}\n${''.padEnd(before)}`;
  return `${title}${'expected'.padEnd(columns.expected)}found`;
}

function rowLines(row: Row): string[] {
  const expected = wrap(row.expected, columns.expected - 2);
  const found = wrap(row.found, FOUND);
  const lines = Array.from({ length: Math.max(expected.length, found.length) }, (_, index) =>
    cells(
      index === 0 ? marks[row.severity] : '',
      index === 0 ? row.name : '',
      expected[index] ?? '',
      found[index] ?? '',
    ),
  );
  const more = [row.means, row.fix].filter((text) => text !== undefined && text !== '').join(' ');
  if (more === '') return lines;
  const indent = ' '.repeat(columns.mark);
  return [...lines, ...wrap(more, WIDTH - columns.mark - 2).map((line) => `${indent}| ${line}`)];
}

function cells(mark: string, name: string, expected: string, found: string): string {
  return `  ${mark.padEnd(columns.mark - 2)}${name.padEnd(columns.name)}${expected.padEnd(columns.expected)}${found}`.trimEnd();
}

/** Lines of whole words; a longer word is cut. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
    while (line.length > width) {
      lines.push(line.slice(0, width));
      line = line.slice(width);
    }
  }
  return [...lines, line];
}

function summary(rows: readonly Row[], adminCalls: number): string {
  const count = (severity: Severity): string =>
    String(rows.filter((row) => row.severity === severity).length);
  const counts = `${count('ok')} ok, ${count('note')} noted, ${count('error')} wrong, ${count('skipped')} not run.`;
  return adminCalls === 0
    ? counts
    : `${counts} ${String(adminCalls)} of at most ${String(MAX_ADMIN_CALLS)} Admin calls made.`;
}
