import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeDataFolder } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { inDataFolder, shutDownServer } from './embedded-redis.js';
import { type FileLock, lockFile, lockHolder } from './file-lock.js';

/** The embedded server's folder, open to this launcher alone. */
export interface DataFolder {
  directory: string;
  /** Inherited by the server. */
  lockFd: number;
  /** From now on the next start waits for this one instead of being refused. */
  announceClose(): void;
  close(): void;
}

/** Its place below DATA_DIR. */
export const redisFolder = (dataDir: string): string => join(dataDir, 'redis');

/**
 * Opens the folder for this start alone. Ends first a server that an earlier start left running on it.
 * Throws DATA_DIR_IN_USE while another launcher runs or another process has the folder open, and REDIS_START_FAILED if the
 * folder cannot be used.
 *
 * There are two locks. `launcher.lock` is held by the launcher alone and shows whether one runs; `processes.lock` is
 * inherited by the server and shows whether one is left.
 */
export function openDataFolder(directory: string, log: Logger): Promise<DataFolder> {
  return inDataFolder(directory, async () => {
    await makeDataFolder(directory, 0o700);
    const launcherLock = await lockForLauncher(directory, log);
    const serverLock = await lockForServer(directory, log);
    return {
      directory,
      lockFd: serverLock.fd,
      announceClose: () => launcherLock.announceRelease(),
      close: () => {
        serverLock.release();
        launcherLock.release();
      },
    };
  });
}

const POLL_MS = 50;
/** Longer than any orderly stop. */
const CLOSING_MS = 60_000;

async function lockForLauncher(directory: string, log: Logger): Promise<FileLock> {
  const file = join(directory, 'launcher.lock');
  const until = performance.now() + CLOSING_MS;
  for (let waited = false; ; waited = true) {
    const lock = lockFile(file);
    if (lock !== undefined) return lock;
    const pid = lockHolder(file);
    if (pid !== '' || performance.now() >= until)
      throw new HoldfastError(
        'DATA_DIR_IN_USE',
        `${directory} is in use by another start of Holdfast (process ${pid}). ` +
          'Stop that one first, or give this one another DATA_DIR.',
      );
    if (!waited) log.info('folder.waiting', { directory });
    await delay(POLL_MS);
  }
}

/** Its guard kills a server that does not end, after five seconds. */
const SERVER_ENDS_MS = 10_000;

/** The lock of the server. One whose launcher was killed is about to end, and is asked to in case its guard was killed too. */
async function lockForServer(directory: string, log: Logger): Promise<FileLock> {
  const file = join(directory, 'processes.lock');
  const until = performance.now() + SERVER_ENDS_MS;
  for (let waited = false; ; waited = true) {
    const lock = lockFile(file);
    if (lock !== undefined) return lock;
    if (!waited) {
      log.warn('remains.found', { directory });
      await shutDownServer(directory);
    }
    if (performance.now() >= until)
      throw new HoldfastError(
        'DATA_DIR_IN_USE',
        `${directory} is held open by a process that does not end by itself.`,
      );
    await delay(POLL_MS);
  }
}
