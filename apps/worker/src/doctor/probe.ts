import { isHoldfastError, toHoldfastError } from '@holdfast/foundation/errors';
import { HostFailure } from '@holdfast/shared/media-host';

/** What a probe saw. */
export type Verdict =
  | { outcome: 'ok'; found: string }
  /** A note where Holdfast copes, an error where it cannot keep a promise. `means` says what follows from it. */
  | { outcome: 'differs'; severity: 'note' | 'error'; found: string; means: string; fix?: string }
  /** It ended in an error, which `found` tells. */
  | { outcome: 'failed'; found: string; fix?: string }
  /** It was not run, and `found` says why. */
  | { outcome: 'skipped'; found: string; means?: string };

/** One row of the doctor's table: one assumption and how to try it. */
export interface Probe<T> {
  name: string;
  expected: string;
  /** What to do where it is otherwise. */
  fix: string;
  /** The probes after it have no chance where it fails. */
  gate?: true;
  run: (trial: T) => Verdict | Promise<Verdict>;
}

export type Severity = 'ok' | 'note' | 'error' | 'skipped';

/** One line of the report. */
export interface Row {
  group: string;
  name: string;
  outcome: Verdict['outcome'];
  /** Only `error` makes the exit code 1. */
  severity: Severity;
  expected: string;
  found: string;
  means?: string;
  fix?: string;
}

/** The fix where no setting helps. Not said in notes, since Holdfast copes. */
export const REPORT = 'Please report this difference.';

export const PRESETS =
  'In the console, Settings, Upload, take the default preset off uploads through the API.';

export const ok = (found: string): Verdict => ({ outcome: 'ok', found });
export const skipped = (found: string, means?: string): Verdict => ({
  outcome: 'skipped',
  found,
  ...(means === undefined ? {} : { means }),
});
export const note = (found: string, means: string): Verdict => ({
  outcome: 'differs',
  severity: 'note',
  found,
  means,
});
/** `fix`: where what was seen tells more than the probe. */
export const wrong = (found: string, means: string, fix?: string): Verdict => ({
  outcome: 'differs',
  severity: 'error',
  found,
  means,
  ...(fix === undefined ? {} : { fix }),
});

/** Thrown by a probe that has no chance now. */
export class NotRun extends Error {
  override readonly name = 'NotRun';
}

/** After so many probes in a row without an answer the rest of a group is not run. */
const SILENCES = 2;

/** Runs the probes of one group, one after the other. Never rejects. `progress` receives the name of each. */
export async function runProbes<T>(
  group: string,
  probes: readonly Probe<T>[],
  trial: T,
  { signal, progress }: { signal: AbortSignal; progress: (name: string) => void },
): Promise<Row[]> {
  const rows: Row[] = [];
  let silences = 0;
  let closed: string | null = null;
  for (const probe of probes) {
    progress(probe.name);
    const closedBy = signal.aborted ? 'interrupted' : closed;
    if (closedBy !== null) {
      rows.push(rowOf(group, probe, { outcome: 'skipped', found: closedBy }));
      continue;
    }
    const verdict = await run(probe, trial);
    silences = verdict.outcome === 'failed' && verdict.silent === true ? silences + 1 : 0;
    if (verdict.outcome === 'failed' && probe.gate === true) closed = `not run: "${probe.name}" failed`;
    else if (silences === SILENCES) closed = 'not run: the host has stopped answering';
    rows.push(rowOf(group, probe, signal.aborted ? { outcome: 'skipped', found: 'interrupted' } : verdict));
  }
  return rows;
}

type Ended = Verdict & { silent?: boolean };

async function run<T>(probe: Probe<T>, trial: T): Promise<Ended> {
  try {
    return await probe.run(trial);
  } catch (error) {
    return afterError(error);
  }
}

/** An error in words, with a fix of its own where the error tells more than the probe. */
function afterError(error: unknown): Ended {
  if (error instanceof NotRun) return { outcome: 'skipped', found: `not run: ${error.message}` };
  if (isHoldfastError(error, 'HOST_RATE_LIMITED'))
    return { outcome: 'skipped', found: 'not run: the Admin calls of this hour are used up' };
  const { code, message, cause } = toHoldfastError(error);
  const status = cause instanceof HostFailure ? cause.status : null;
  const detail = cause instanceof Error && cause.message !== message ? ` (${cause.message})` : '';
  const found = `${code}${status === null ? '' : ` ${String(status)}`}: ${message}${detail}`;
  const isSilent = code === 'HOST_TIMEOUT' || (cause instanceof HostFailure && status === null);
  const own = Object.entries(fixes).find(([pattern]) => found.includes(pattern))?.[1];
  const fix = isSilent ? UNREACHABLE : (own ?? (status === 401 ? CREDENTIALS : undefined));
  return { outcome: 'failed', found, silent: isSilent, ...(fix === undefined ? {} : { fix }) };
}

const CREDENTIALS =
  'Copy the API environment variable again from the console (Settings, API Keys) into CLOUDINARY_URL.';
const UNREACHABLE =
  'Check that this machine reaches the API: its network, its firewall, and upload_prefix in CLOUDINARY_URL.';
const fixes: Readonly<Record<string, string>> = {
  HOST_ALTERS_UPLOADS: PRESETS,
  'Stale request': 'Set the clock of this machine, with NTP.',
  'Invalid Signature': `${CREDENTIALS} Accounts that want SHA-256 need signature_algorithm=sha256 in it.`,
};

function rowOf<T>(
  group: string,
  { name, expected, fix }: Pick<Probe<T>, 'name' | 'expected' | 'fix'>,
  verdict: Verdict,
): Row {
  const row = { group, name, outcome: verdict.outcome, severity: severityOf(verdict), expected };
  switch (verdict.outcome) {
    case 'differs':
      return {
        ...row,
        found: verdict.found,
        means: verdict.means,
        ...(verdict.severity === 'note' && fix === REPORT ? {} : { fix: verdict.fix ?? fix }),
      };
    case 'failed':
      return { ...row, found: verdict.found, fix: verdict.fix ?? fix };
    case 'ok':
      return { ...row, found: verdict.found };
    case 'skipped':
      return {
        ...row,
        found: verdict.found,
        ...(verdict.means === undefined ? {} : { means: verdict.means }),
      };
  }
}

function severityOf(verdict: Verdict): Severity {
  if (verdict.outcome === 'differs') return verdict.severity;
  return verdict.outcome === 'failed' ? 'error' : verdict.outcome;
}
