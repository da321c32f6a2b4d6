/** Of the year 9999: later times have no date that a record can carry. In unix seconds, as the host counts versions. */
const LAST_SECOND = Date.UTC(9999, 11, 31, 23, 59, 59) / 1_000;

/** Whether records can carry it. */
export function isReadableDate(text: unknown): text is string {
  if (typeof text !== 'string') return false;
  const seconds = Date.parse(text) / 1_000;
  return seconds >= 0 && seconds <= LAST_SECOND;
}

/**
 * A date of the host, or where it is none the time of its version, which is that of the last upload in unix seconds: one
 * garbled date must not keep a sync from all other assets, nor make a media look missing. A version that is no time either
 * counts as the nearest one.
 */
export function soundDate(text: unknown, version: number): string {
  return isReadableDate(text) ? text : isoSeconds(version);
}

/** As the host writes times: without milliseconds. */
function isoSeconds(seconds: number): string {
  const sound = Math.min(Math.max(seconds, 0), LAST_SECOND);
  return `${new Date(sound * 1_000).toISOString().slice(0, 19)}Z`;
}
