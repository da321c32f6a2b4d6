import { setTimeout as pause } from 'node:timers/promises';
import type { Catalog } from '@holdfast/shared/catalog';
import { createBackoff } from '@holdfast/foundation/lifecycle';
import type { MediaRecord } from '@holdfast/shared/media';
import type { Shutdown } from '../http/shutdown.js';

const FIRST_LOOK_MS = 5;
const LONGEST_PAUSE_MS = 1_000;
/** So each pause is at most a fifth of the time waited so far, and a long wait costs Redis little. */
const GROWTH = 1.2;

/**
 * An accepted record once it is verified at this revision or a later one, or as it was last read when the time is up or the
 * client is gone. Ends early when the process is to end: the media is accepted, and the answer must get out.
 */
export async function waitUntilVerified(
  { catalog, shutdown }: { catalog: Pick<Catalog, 'find'>; shutdown: Pick<Shutdown, 'draining'> },
  accepted: MediaRecord,
  waitSeconds: number,
  gone: AbortSignal,
): Promise<MediaRecord> {
  if (accepted.status !== 'saving') return accepted;
  const { id, revision } = accepted;
  const signal = AbortSignal.any([gone, shutdown.draining]);
  const until = performance.now() + waitSeconds * 1_000;
  let latest = accepted;
  const rests = createBackoff();
  for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(pauseMs * GROWTH, LONGEST_PAUSE_MS)) {
    const found = await catalog.find(id).catch(() => undefined);
    latest = found ?? latest;
    const settled = latest.revision >= revision && latest.status !== 'saving';
    const left = until - performance.now();
    if (settled || left <= 0 || signal.aborted) return latest;
    const restMs = found === undefined ? rests.nextMs() : pauseMs;
    await pause(Math.min(restMs, left), undefined, { signal }).catch(() => undefined);
  }
}
