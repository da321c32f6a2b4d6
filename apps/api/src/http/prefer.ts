import type { Shares } from '@holdfast/shared/http';

/** What a client would rather have (RFC 7240). */
export interface Preferences {
  /** Seconds that it is ready to wait for a finished result, 300 at most. */
  waitSeconds?: number;
}

/** With its end or without one, so that every quote is passed over once. */
const QUOTED = /"(?:[^"\\]|\\.?)*"?/gs;
const WAIT = /^wait\s*=\s*"?(\d+)"?$/i;
/** Proxies in front end longer requests anyway. */
const LONGEST_SECONDS = 300;

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

/** Tells the client that its preference was applied. */
export function preferenceApplied(waitSeconds: number): Record<string, string> {
  return { 'Preference-Applied': `wait=${String(waitSeconds)}` };
}

/**
 * Waits for a result in one of the places that clients share. `ended` aborts when the client leaves, or when the place goes to another
 * client. Null where this client gets no place: it is answered at once, as the RFC allows.
 */
export async function waitInPlace<T>(
  waits: Shares,
  client: string,
  gone: AbortSignal,
  wait: (ended: AbortSignal) => Promise<T>,
): Promise<T | null> {
  const given = new AbortController();
  const leave = waits.take(client, { giveUp: () => given.abort() });
  if (leave === null) return null;
  try {
    return await wait(AbortSignal.any([gone, given.signal]));
  } finally {
    leave();
  }
}
