import { isTransientHostError } from '@holdfast/shared/media-host';
import { isHoldfastError } from '@holdfast/shared/errors';
import { snapshotPrefix } from '@holdfast/shared/snapshot';
import { fetchPatiently } from '../host-calls/fetch-patiently.js';
import type { SyncSession } from '../sync-run/sync-session.js';
import { loadDeletions } from './load-deletions.js';

/**
 * After a start of ours or of Redis: it may have lost its last writes, without being empty, and deletions among them. What was
 * acknowledged and is lost comes back from the host; what was deleted must not. One metered call for each 500 files.
 */
export async function repeatDeletions({ deps, running, token, signal, log }: SyncSession): Promise<void> {
  const { host, redis, keys, settings } = deps;
  const { folder } = settings.host;
  if (running.run.trigger !== 'startup' || !settings.sync.snapshots) return;
  const list = () => host.listFiles(snapshotPrefix(folder), signal);
  const read = (name: string, bytes: number) =>
    fetchPatiently(() => host.readFile(name, signal, bytes), settings.jobs.backoffMs, signal);
  try {
    await loadDeletions(await list(), { redis, keys, folder, token, signal, log, list, read });
  } catch (error) {
    // A host that will not give its files at all must not stand in the way of the sync.
    if (!isHoldfastError(error, 'HOST_REJECTED') || isTransientHostError(error)) throw error;
    log.warn('snapshot.unreadable', { error });
  }
}
