import type { MediaRecord } from '@holdfast/shared/media';
import type { Shutdown } from '../http/shutdown.js';
import type { StatusFollowers } from '../media/status-followers.js';

/**
 * An accepted record once it is verified at this revision or a later one, or as it was last read when the time is up or the
 * client is gone. Ends early when the process is to end: the media is accepted, and the answer must get out.
 */
export async function waitUntilVerified(
  { statusFollowers, shutdown }: { statusFollowers: StatusFollowers; shutdown: Pick<Shutdown, 'draining'> },
  accepted: MediaRecord,
  waitSeconds: number,
  gone: AbortSignal,
): Promise<MediaRecord> {
  const signal = AbortSignal.any([gone, shutdown.draining, AbortSignal.timeout(waitSeconds * 1_000)]);
  if (accepted.status !== 'saving' || signal.aborted) return accepted;
  let latest = accepted;
  let stop = (): void => undefined;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    stop = statusFollowers.follow(accepted, (state) => {
      if (state.kind === 'record') latest = state.record;
      const isSettled = latest.revision >= accepted.revision && latest.status !== 'saving';
      if (state.kind !== 'record' || isSettled) resolve();
    });
  });
  stop();
  return latest;
}
