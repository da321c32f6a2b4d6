import { statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@holdfast/shared/logging';

/** A server that syncs every write ends itself when the disk is full; below this it would end again at once. */
const NEEDED_BYTES = 16_000_000;
const CHECK_MS = 2_000;

/** Resolves once the disk has room for a restart, or `stopping` aborts. Says so while it waits. */
export async function waitForFreeSpace(
  directory: string,
  log: Logger,
  stopping: AbortSignal,
  neededBytes = NEEDED_BYTES,
): Promise<void> {
  let told = false;
  while (!stopping.aborted) {
    const { bavail, bsize } = await statfs(directory);
    const freeBytes = bavail * bsize;
    if (freeBytes >= neededBytes) {
      if (told) log.info('redis.disk_has_room', { directory, freeBytes });
      return;
    }
    if (!told) log.error('redis.disk_full', { directory, freeBytes, neededBytes });
    told = true;
    await delay(CHECK_MS, undefined, { signal: stopping }).catch(() => undefined);
  }
}
