import { spawnSync } from 'node:child_process';
import { ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';

/** The place of the embedded server's folder. */
export const redisFolder = (dataDir: string): string => join(dataDir, 'redis');

/** Longer than any orderly stop. */
const CLOSING_MS = 60_000;
/** The guard kills a server that does not end, after five seconds. */
const SERVER_ENDS_MS = 10_000;

/**
 * Locks the embedded server's folder for this launcher alone. `endServer` is called once where a server of an earlier start still
 * runs on it, which is then waited for. Throws DATA_DIR_IN_USE while another launcher runs or another process has the folder open,
 * and REDIS_START_FAILED where the machine or the file system has no such locks.
 *
 * There are two locks, which end with the processes that hold them. `launcher.lock` is held by the launcher alone and shows whether
 * one runs, with its pid until `announceClose`: from then on the next start waits for this one instead of being refused.
 * `processes.lock`, of the descriptor `lockFd`, is inherited by the server and shows whether one is left.
 */
export async function lockFolder(directory: string, endServer: () => Promise<unknown>, log: Logger) {
  const launcherFile = join(directory, 'launcher.lock');
  const launcherFd = await lockWithin(CLOSING_MS, launcherFile, (isFirst) => {
    const pid = readFileSync(launcherFile, 'utf8').trim();
    if (pid !== '')
      throw new HoldfastError(
        'DATA_DIR_IN_USE',
        `${directory} is in use by another start of Holdfast (process ${pid}). ` +
          'Stop that one first, or give this one another DATA_DIR.',
      );
    if (isFirst) log.info('folder.waiting', { directory });
  });
  ftruncateSync(launcherFd);
  writeSync(launcherFd, String(process.pid));
  const lockFd = await lockWithin(SERVER_ENDS_MS, join(directory, 'processes.lock'), async (isFirst) => {
    if (!isFirst) return;
    log.warn('remains.found', { directory });
    await endServer();
  });
  return { lockFd, announceClose: () => ftruncateSync(launcherFd) };
}

const POLL_MS = 50;

/** Locks the file and answers its descriptor. Calls `onHeld` after each try that met another process. */
async function lockWithin(
  ms: number,
  file: string,
  onHeld: (isFirst: boolean) => void | Promise<void>,
): Promise<number> {
  const fd = openSync(file, 'a+', 0o600);
  const until = performance.now() + ms;
  for (let isFirst = true; !takeLock(fd, file); isFirst = false) {
    await onHeld(isFirst);
    if (performance.now() >= until)
      throw new HoldfastError('DATA_DIR_IN_USE', `${file} is held by a process that does not end by itself.`);
    await delay(POLL_MS);
  }
  return fd;
}

/** Programs that lock descriptor 3 (flock), which they share with us, so the lock outlives them. Locks of the kernel never go stale. */
const lockers = [
  ['flock', '-x', '-n', '3'],
  [
    'perl',
    '-MFcntl=:flock',
    '-e',
    'open(my $f, "+<&=3") or exit 2; exit(flock($f, LOCK_EX | LOCK_NB) ? 0 : 1)',
  ],
] as const;

function takeLock(fd: number, file: string): boolean {
  for (const [command, ...args] of lockers) {
    const { status, error, stderr } = spawnSync(command, args, {
      stdio: ['ignore', 'ignore', 'pipe', fd],
      encoding: 'utf8',
    });
    if (error !== undefined) continue;
    if (status === 0 || status === 1) return status === 0;
    throw new HoldfastError('REDIS_START_FAILED', `The folder of ${file} cannot be locked: ${stderr.trim()}`);
  }
  throw new HoldfastError(
    'REDIS_START_FAILED',
    'The data folder cannot be locked: install flock (util-linux) or perl',
  );
}
