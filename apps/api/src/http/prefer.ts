import type { Shares } from '@holdfast/shared/http';

/** With its end or without one, so that every quote is passed over once. */
const QUOTED = /"(?:[^"\\]|\\.?)*"?/gs;
const WAIT = /^\s*wait\s*=\s*"?(\d+)"?\s*(?:;|$)/i;
/** Proxies in front end longer requests anyway. */
const LONGEST_SECONDS = 300;

/**
 * Seconds that the client is ready to wait for a finished result (`Prefer: wait=N`, RFC 7240), 300 at most. Unknown and malformed
 * preferences are ignored, as the RFC wants it; of several the first counts.
 */
export function readWait(header: string | undefined): number | undefined {
  // What separates preferences separates nothing inside quotes.
  const preferences = (header ?? '').replace(QUOTED, (quoted) => quoted.replace(/[,;]/g, ' ')).split(',');
  const [seconds] = preferences.flatMap((preference) => WAIT.exec(preference)?.[1] ?? []);
  return seconds === undefined ? undefined : Math.min(Number(seconds), LONGEST_SECONDS);
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
