import { HoldfastError, isHoldfastError } from '@holdfast/shared/errors';
import type { MediaHost } from '@holdfast/shared/media-host';
import { SYNC_LEASE_MS, type SyncState } from '@holdfast/shared/sync';

export interface SyncLease {
  token: string;
  /** Aborts with the parent, or when the lease is lost (RUN_SUPERSEDED). */
  signal: AbortSignal;
  release(): Promise<void>;
}

/**
 * The right to run, for one worker of the fleet; null while another has it. Pages renew it, and a timer does while the host
 * is slow. Once it cannot have been renewed in time the run ends by itself. Its end keeps what the host said of its calls.
 */
export async function holdLease(
  {
    state,
    host,
  }: { state: Pick<SyncState, 'acquire' | 'renew' | 'release'>; host: Pick<MediaHost, 'budget'> },
  parent: AbortSignal,
  acquire: () => Promise<string | null> = () => state.acquire(),
): Promise<SyncLease | null> {
  let renewedAt = performance.now();
  const token = await acquire();
  if (token === null) return null;
  const lost = new AbortController();
  const renew = async (): Promise<void> => {
    const startedAt = performance.now();
    try {
      await state.renew(token);
      renewedAt = startedAt;
    } catch (error) {
      const expired = performance.now() - renewedAt >= SYNC_LEASE_MS;
      if (isHoldfastError(error, 'RUN_SUPERSEDED') || expired)
        lost.abort(new HoldfastError('RUN_SUPERSEDED', undefined, { cause: error }));
    }
  };
  const timer = setInterval(() => void renew(), SYNC_LEASE_MS / 4);
  return {
    token,
    signal: AbortSignal.any([parent, lost.signal]),
    release: async () => {
      clearInterval(timer);
      // What cannot be released runs out by itself, and may be another's by now.
      await state.release(token, host.budget()).catch(() => undefined);
    },
  };
}
