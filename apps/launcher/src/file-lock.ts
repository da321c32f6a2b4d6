import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { HoldfastError } from '@holdfast/foundation/errors';

/**
 * A kernel lock (flock) on an open file. It ends with the last process that holds the descriptor, however that process
 * ends, so locks never go stale. A child that inherits `fd` keeps the lock.
 */
export interface FileLock {
  readonly fd: number;
  /** Tells waiting processes that the lock is about to be released. */
  announceRelease(): void;
  release(): void;
}

/** Programs that lock descriptor 3, which they share with us, so the lock outlives them. */
const lockers: readonly { command: string; args: readonly string[] }[] = [
  { command: 'flock', args: ['-x', '-n', '3'] },
  {
    command: 'perl',
    args: [
      '-MFcntl=:flock',
      '-e',
      'open(my $f, "+<&=3") or exit 2; exit(flock($f, LOCK_EX | LOCK_NB) ? 0 : 1)',
    ],
  },
];

/**
 * The lock on `file`, or undefined while another process holds it. Throws REDIS_START_FAILED if the machine or the file
 * system does not support such locks.
 */
export function lockFile(file: string): FileLock | undefined {
  const fd = openSync(file, 'a+', 0o600);
  const holder = (text: string): void => {
    ftruncateSync(fd);
    writeSync(fd, text);
  };
  try {
    if (takeLock(fd, file)) {
      holder(String(process.pid));
      return { fd, announceRelease: () => holder(''), release: () => closeSync(fd) };
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}

/** The pid of the holder of the lock on `file`; empty while it is about to release the lock. May be stale. */
export function lockHolder(file: string): string {
  return readFileSync(file, 'utf8').trim();
}

function takeLock(fd: number, file: string): boolean {
  for (const { command, args } of lockers) {
    const { status, error, stderr } = spawnSync(command, args, {
      stdio: ['ignore', 'ignore', 'pipe', fd],
      encoding: 'utf8',
    });
    if (error !== undefined) continue;
    if (status === 0) return true;
    if (status === 1) return false;
    throw new HoldfastError('REDIS_START_FAILED', `The folder of ${file} cannot be locked: ${stderr.trim()}`);
  }
  throw new HoldfastError(
    'REDIS_START_FAILED',
    'The data folder cannot be locked: install flock (util-linux) or perl',
  );
}
