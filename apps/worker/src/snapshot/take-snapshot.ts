import { HoldfastError } from '@holdfast/shared/errors';
import type { Logger } from '@holdfast/shared/logging';
import { listedDeletions } from '@holdfast/shared/snapshot';
import type { SnapshotNote } from '@holdfast/shared/sync';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';
import { pruneSnapshots } from './prune-snapshots.js';
import { PART_BYTES, writeSnapshot } from './write-snapshot.js';

export interface TakeSnapshotParts extends Pick<
  SyncDependencies,
  'state' | 'catalog' | 'redis' | 'keys' | 'host' | 'settings' | 'now' | 'snapshotPartBytes'
> {
  /** Of the lease of syncs: one snapshot at a time, and none while a sync changes the catalog. */
  token: string;
  signal: AbortSignal;
  log: Logger;
}

/** Writes a snapshot of the catalog as it is now, remembers it and removes older ones. */
export async function takeSnapshot(parts: TakeSnapshotParts): Promise<SnapshotNote> {
  const { state, catalog, redis, keys, token, signal, log, host, now } = parts;
  const { folder } = parts.settings.host;
  const nowMs = now();
  const born = await catalog.bornAt();
  const { changes } = await state.readSnapshotFacts();
  await state.note(token, { snapshotTriedAt: new Date(nowMs).toISOString() });
  const written = await writeSnapshot({
    ...parts,
    folder,
    partBytes: parts.snapshotPartBytes ?? PART_BYTES,
    backoffMs: parts.settings.jobs.backoffMs,
    nowMs,
    insistOnCatalog: async () => {
      await state.renew(token);
      // Emptied meanwhile, it would be the snapshot of a part; tokens begin anew then, too.
      if ((await catalog.bornAt()) !== born)
        throw new HoldfastError('RUN_SUPERSEDED', 'the catalog was emptied while it was read');
    },
  });
  const snapshot = { ...written, changes };
  await state.note(token, { snapshot });
  log.info('snapshot.written', { snapshotId: written.id, records: written.records, bytes: written.bytes });
  try {
    const listed = listedDeletions(redis, keys);
    const { files, keptSinceMs } = await pruneSnapshots({ host, listed, folder, signal });
    if (files > 0) log.info('snapshot.old_removed', { files });
    if (keptSinceMs !== null)
      await state.note(token, { snapshotsSince: new Date(keptSinceMs).toISOString() });
  } catch (error) {
    // The next one removes them.
    log.warn('snapshot.prune_failed', { error });
  }
  return snapshot;
}
