/** What a client would rather have (RFC 7240). */
export interface Preferences {
  /** Seconds that it is ready to wait for a finished result. */
  waitSeconds?: number;
}

const WAIT = /^wait\s*=\s*"?(\d{1,6})"?$/i;

/** Unknown and malformed preferences are ignored, as the RFC wants it; of several the first counts. */
export function readPrefer(header: string | readonly string[] | undefined): Preferences {
  for (const preference of String(header ?? '').split(',')) {
    const [token = ''] = preference.split(';', 1);
    const seconds = WAIT.exec(token.trim())?.[1];
    if (seconds !== undefined) return { waitSeconds: Number(seconds) };
  }
  return {};
}

/** The header that tells the client that its wish was honoured. */
export function preferenceApplied(waitSeconds: number): Record<string, string> {
  return { 'Preference-Applied': `wait=${String(waitSeconds)}` };
}
