/** What a client would rather have (RFC 7240). */
export interface Preferences {
  /** Seconds that it is ready to wait for a finished result. */
  waitSeconds?: number;
}

/** With its end or without one, so that every quote is passed over once. */
const QUOTED = /"(?:[^"\\]|\\.?)*"?/gs;
const WAIT = /^wait\s*=\s*"?(\d+)"?$/i;
/** Longer than anybody waits, and in milliseconds within what a timer takes. */
const LONGEST_SECONDS = 1_000_000;

/** Unknown and malformed preferences are ignored, as the RFC wants it; of several the first counts. */
export function readPrefer(header: string | readonly string[] | undefined): Preferences {
  // What separates preferences separates nothing inside quotes.
  const preferences = String(header ?? '').replace(QUOTED, (quoted) => quoted.replace(/[,;]/g, ' '));
  for (const preference of preferences.split(',')) {
    const [token = ''] = preference.split(';', 1);
    const seconds = WAIT.exec(token.trim())?.[1];
    if (seconds !== undefined) return { waitSeconds: Math.min(Number(seconds), LONGEST_SECONDS) };
  }
  return {};
}

/** The header that tells the client that its wish was honoured. */
export function preferenceApplied(waitSeconds: number): Record<string, string> {
  return { 'Preference-Applied': `wait=${String(waitSeconds)}` };
}
