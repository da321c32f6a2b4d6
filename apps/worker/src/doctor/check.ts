import { isHoldfastError, toHoldfastError } from '@holdfast/foundation/errors';
import { HostFailure } from '@holdfast/shared/media-host';

/** What a check has seen. */
export interface Verdict {
  /** note: different, and Holdfast copes. error: a promise cannot be kept, or the check failed. skipped: not run. */
  severity: 'ok' | 'note' | 'error' | 'skipped';
  found: string;
  /** What follows from a difference. */
  means?: string | undefined;
  fix?: string | undefined;
}

/** One row of the tables: one assumption, how to try it, and what it means where it is false. */
export interface Check<Trial> {
  name: string;
  expected: string;
  means?: string;
  fix?: string;
  /** Where it ends in an error, those after it are not run. */
  gate?: true;
  /** Resolves with what was found as expected, or with a verdict that differs. Throws NotRun where it has no chance now. */
  try: (trial: Trial) => string | Verdict | Promise<string | Verdict>;
}

/** One line of the report. */
export interface Row extends Verdict {
  group: string;
  name: string;
  expected: string;
}

/** The fix where no setting helps. Not shown in notes, since Holdfast copes. */
export const REPORT = 'Please report this difference.';
export const PRESETS =
  'In the console, Settings, Upload, take the default preset off uploads through the API.';

export const note = (found: string, means: string): Verdict => ({ severity: 'note', found, means });
/** `over`: where what was seen tells more than the check. */
export const wrong = (found: string, over: { means?: string; fix?: string } = {}): Verdict => ({
  severity: 'error',
  found,
  ...over,
});

export class NotRun extends Error {}

/** After so many checks in a row without an answer the rest of a group is not run. */
const SILENCES = 2;

/** Runs the checks of one group, one after the other. Never rejects. `progress` receives the name of each. */
export async function runChecks<Trial>(
  group: string,
  checks: readonly Check<Trial>[],
  trial: Trial,
  { signal, progress }: { signal: AbortSignal; progress: (name: string) => void },
): Promise<Row[]> {
  const rows: Row[] = [];
  let silences = 0;
  let closed: string | null = null;
  for (const check of checks) {
    const { name, expected, gate } = check;
    progress(name);
    let verdict: Verdict = { severity: 'skipped', found: closed ?? 'interrupted' };
    if (closed === null && !signal.aborted) {
      const { silent, seen } = await run(check, trial);
      silences = silent ? silences + 1 : 0;
      if (!signal.aborted) verdict = seen;
      if (seen.severity === 'error' && gate === true) closed = `not run: "${name}" failed`;
      if (silences === SILENCES) closed = 'not run: the host has stopped answering';
    }
    rows.push({ group, name, expected, ...verdict });
  }
  return rows;
}

/** `silent`: the host has not answered. */
async function run<Trial>(check: Check<Trial>, trial: Trial): Promise<{ seen: Verdict; silent: boolean }> {
  try {
    const seen = await check.try(trial);
    if (typeof seen === 'string') return { seen: { severity: 'ok', found: seen }, silent: false };
    const { severity } = seen;
    const isWrong = severity === 'error';
    const means = seen.means ?? (isWrong ? check.means : undefined);
    const helps = isWrong || (severity === 'note' && check.fix !== REPORT);
    return { seen: { ...seen, means, fix: seen.fix ?? (helps ? check.fix : undefined) }, silent: false };
  } catch (error) {
    return afterError(error, check.fix);
  }
}

const CREDENTIALS =
  'Copy the API environment variable again from the console (Settings, API Keys) into CLOUDINARY_URL.';
const UNREACHABLE =
  'Check that this machine reaches the API: its network, its firewall, and upload_prefix in CLOUDINARY_URL.';
/** By a part of the error's words. */
const fixes: readonly (readonly [string, string])[] = [
  ['HOST_ALTERS_UPLOADS', PRESETS],
  ['Stale request', 'Set the clock of this machine, with NTP.'],
  ['Invalid Signature', `${CREDENTIALS} Accounts that want SHA-256 need signature_algorithm=sha256 in it.`],
  [' 401: ', CREDENTIALS],
];

/** An error in words, with a fix of its own where the error tells more than the check. */
function afterError(error: unknown, usual: string | undefined): { seen: Verdict; silent: boolean } {
  const isUsedUp = isHoldfastError(error, 'HOST_RATE_LIMITED');
  if (isUsedUp || error instanceof NotRun) {
    const why = isUsedUp ? 'the Admin calls of this hour are used up' : error.message;
    return { seen: { severity: 'skipped', found: `not run: ${why}` }, silent: false };
  }
  const { code, message, cause } = toHoldfastError(error);
  const status = cause instanceof HostFailure ? cause.status : null;
  const detail = cause instanceof Error && cause.message !== message ? ` (${cause.message})` : '';
  const found = `${code}${status === null ? '' : ` ${String(status)}`}: ${message}${detail}`;
  const silent = code === 'HOST_TIMEOUT' || (cause instanceof HostFailure && status === null);
  const fix = silent ? UNREACHABLE : (fixes.find(([words]) => found.includes(words))?.[1] ?? usual);
  return { seen: { severity: 'error', found, fix }, silent };
}
