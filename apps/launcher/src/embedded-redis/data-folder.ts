import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '@holdfast/shared/errors';
import type { Logger } from '@holdfast/shared/logging';
import { lockFile, lockHolder, type FileLock } from '../processes/file-lock.js';
import type { ProcessRegistry } from '../processes/process-registry.js';
import { PROCESSES_FILE, runningFile } from '../processes/running-file.js';
import { endRemains } from './end-remains.js';
import { findRemains } from './find-remains.js';
import { inDataFolder } from './in-data-folder.js';

/** The embedded server's folder, open to this launcher alone. */
export interface DataFolder {
  directory: string;
  /** Inherited by the server and the guard. */
  lockFd: number;
  registry: ProcessRegistry;
  /** From now on the next start waits for this one instead of being refused. */
  announceClose(): void;
  close(): void;
}

/** Where it lies below DATA_DIR. */
export const redisFolder = (dataDir: string): string => join(dataDir, 'redis');

const POLL_MS = 50;
/** Longer than any orderly stop. */
const CLOSING_MS = 60_000;

/**
 * Opens the folder for this start alone. What an earlier start left running on it is ended first.
 * Throws DATA_DIR_IN_USE while another launcher lives, or when something else has the folder open, and REDIS_START_FAILED
 * where the folder cannot be used.
 *
 * There are two locks. `launcher.lock` is held by the launcher alone and tells a living one from a dead one;
 * `processes.lock` is inherited by the server and the guard and tells whether any process is left.
 */
export function openDataFolder(directory: string, log: Logger): Promise<DataFolder> {
  return inDataFolder(directory, () => openFolder(directory, log));
}

async function openFolder(directory: string, log: Logger): Promise<DataFolder> {
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new HoldfastError('REDIS_START_FAILED', `The folder ${directory} cannot be made`, { cause: error });
  });
  const launcherFile = join(directory, 'launcher.lock');
  const processesFile = join(directory, 'processes.lock');
  const listFile = join(directory, PROCESSES_FILE);

  const launcherLock = await lockForLauncher(launcherFile, directory, log);
  let processesLock: FileLock | undefined;
  try {
    processesLock = await endRemains({
      left: findRemains(directory, listFile),
      takeLock: () => lockFile(processesFile),
      log,
    });
  } catch (error) {
    launcherLock.release();
    throw error;
  }
  if (processesLock === undefined) {
    launcherLock.release();
    throw new HoldfastError(
      'DATA_DIR_IN_USE',
      `${directory} is held open by a process that is not ours to end.`,
    );
  }
  const lock = processesLock;
  const close = (): void => {
    lock.release();
    launcherLock.release();
  };
  return {
    directory,
    lockFd: lock.fd,
    registry: runningFile(listFile, log),
    announceClose: () => launcherLock.announceRelease(),
    close,
  };
}

async function lockForLauncher(file: string, directory: string, log: Logger): Promise<FileLock> {
  const until = performance.now() + CLOSING_MS;
  for (let waited = false; ; waited = true) {
    const lock = lockFile(file);
    if (lock !== undefined) return lock;
    const holder = lockHolder(file);
    if (!holder.releasing || performance.now() >= until) {
      throw new HoldfastError(
        'DATA_DIR_IN_USE',
        `${directory} is in use by another start of Holdfast (process ${holder.pid}). ` +
          'Stop that one first, or give this one another DATA_DIR.',
      );
    }
    if (!waited) log.info('folder.waiting', { directory, stoppingPid: holder.pid });
    await delay(POLL_MS);
  }
}
