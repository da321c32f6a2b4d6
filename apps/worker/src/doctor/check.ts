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

/** One row of a table: one assumption, how to try it, and what it means where it is false. */
export interface Check {
  name: string;
  means?: string;
  /** Where none is given, an error asks for a report. */
  fix?: string;
  /** If it ends in an error, the checks after it are not run. */
  gate?: true;
  /** Run whatever came before. */
  always?: true;
  /** Only an account can refuse this: not run on the local host. */
  accountOnly?: true;
  /** Resolves with what was found as expected, or with a verdict that differs. Throws NotRun where it has no chance now. */
  try: () => string | Verdict | Promise<string | Verdict>;
}

/** One line of the report. */
export interface Row extends Verdict {
  group: string;
  name: string;
}

export const note = (found: string, means: string): Verdict => ({ severity: 'note', found, means });
/** `over`: where what was seen tells more than the check. */
export const wrong = (found: string, over: { means?: string; fix?: string } = {}): Verdict => ({
  severity: 'error',
  found,
  ...over,
});

export class NotRun extends Error {}

/** Runs the checks of one group, one after the other. Never rejects. `progress` receives the name of each. */
export async function runChecks(
  group: string,
  checks: readonly Check[],
  { signal, progress }: { signal: AbortSignal; progress: (name: string) => void },
): Promise<Row[]> {
  const rows: Row[] = [];
  let closed: string | null = null;
  for (const check of checks) {
    const { name, gate, always } = check;
    progress(name);
    const mayRun = (): boolean => always === true || (closed === null && !signal.aborted);
    const seen = mayRun() ? await run(check) : null;
    const isRun = seen !== null && mayRun();
    rows.push({ group, name, ...(isRun ? seen : { severity: 'skipped', found: closed ?? 'interrupted' }) });
    if (seen?.severity === 'error' && gate === true) closed = `not run: "${name}" failed`;
  }
  return rows;
}

async function run({ means, fix, try: attempt }: Check): Promise<Verdict> {
  try {
    const seen = await attempt();
    if (typeof seen === 'string') return { severity: 'ok', found: seen };
    if (seen.severity !== 'error') return { fix, ...seen };
    return { means, fix: fix ?? REPORT, ...seen };
  } catch (error) {
    return afterError(error, fix);
  }
}

const REPORT = 'Please report this difference.';
export const PRESETS =
  'In the console, Settings, Upload, take the default preset off uploads through the API.';
const CREDENTIALS =
  'Copy the API environment variable again from the console (Settings, API Keys) into CLOUDINARY_URL.';
/** Fixes of errors that tell more than the check, by a part of their words. */
const fixes: readonly (readonly [string, string])[] = [
  ['HOST_ALTERS_UPLOADS', PRESETS],
  ['Stale request', 'Set the clock of this machine, with NTP.'],
  ['Invalid Signature', `${CREDENTIALS} Accounts that want SHA-256 need signature_algorithm=sha256 in it.`],
  [' 401: ', CREDENTIALS],
];
const UNREACHABLE =
  'Check that this machine reaches the API: its network, its firewall, and upload_prefix in CLOUDINARY_URL.';

function afterError(error: unknown, usual = REPORT): Verdict {
  const isUsedUp = isHoldfastError(error, 'HOST_RATE_LIMITED');
  if (isUsedUp || error instanceof NotRun) {
    const why = isUsedUp ? 'the Admin calls of this hour are used up' : error.message;
    return { severity: 'skipped', found: `not run: ${why}` };
  }
  const { code, message, cause } = toHoldfastError(error);
  const status = cause instanceof HostFailure ? cause.status : null;
  const detail = cause instanceof Error && cause.message !== message ? ` (${cause.message})` : '';
  const found = `${code}${status === null ? '' : ` ${String(status)}`}: ${message}${detail}`;
  const isSilent = code === 'HOST_TIMEOUT' || (cause instanceof HostFailure && status === null);
  return wrong(found, {
    fix: isSilent ? UNREACHABLE : (fixes.find(([words]) => found.includes(words))?.[1] ?? usual),
  });
}
