import { setTimeout as pause } from 'node:timers/promises';
import type { Catalog } from '@holdfast/shared/catalog';
import type { MediaRecord } from '@holdfast/shared/media';

const FIRST_LOOK_MS = 5;
const LONGEST_PAUSE_MS = 1_000;
/** So each pause is at most a fifth of the time waited so far, and a long wait costs Redis little. */
const GROWTH = 1.2;

/** The record once it is verified at this revision or a later one, or as it is when the time is up; null when it cannot be read. */
export async function waitUntilVerified(
  catalog: Pick<Catalog, 'find'>,
  { id, revision }: Pick<MediaRecord, 'id' | 'revision'>,
  waitMs: number,
  signal: AbortSignal,
): Promise<MediaRecord | null> {
  const until = performance.now() + waitMs;
  let latest: MediaRecord | null = null;
  for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(pauseMs * GROWTH, LONGEST_PAUSE_MS)) {
    latest = (await catalog.find(id).catch(() => null)) ?? latest;
    const settled = latest !== null && latest.revision >= revision && latest.status !== 'saving';
    const left = until - performance.now();
    if (settled || left <= 0 || signal.aborted) return latest;
    await pause(Math.min(pauseMs, left), undefined, { signal }).catch(() => undefined);
  }
}
