import type { Logger } from '@holdfast/shared/logging';
import type { HostFile } from '@holdfast/shared/media-host';
import type { RedisClient, RedisKeys } from '@holdfast/shared/redis';
import { deletionFiles, snapshotLoading } from '@holdfast/shared/snapshot';

const BATCH = 500;

export interface DeletionParts {
  redis: RedisClient;
  keys: RedisKeys;
  folder: string;
  /** Of the lease of syncs. */
  token: string;
  log: Logger;
}

/** Deletes here, once more, what these files of the host say was deleted. Records that are there go, their assets too. */
export async function loadDeletions(
  files: readonly HostFile[],
  { redis, keys, token, folder, log }: DeletionParts,
): Promise<void> {
  const deletions = deletionFiles(folder, files);
  const loading = snapshotLoading(redis, keys, token);
  for (let start = 0; start < deletions.length; start += BATCH)
    await loading.loadTombstones(
      deletions.slice(start, start + BATCH).map(({ id, file }) => {
        return { kind: 'tombstone', id, deletedMs: Date.parse(file.storedAt) };
      }),
    );
  if (deletions.length > 0) log.info('snapshot.deletions_restored', { deletions: deletions.length });
}
