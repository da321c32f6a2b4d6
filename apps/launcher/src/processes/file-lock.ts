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

/** What the holder of a lock wrote into the file. It may be stale, so it is used only for messages and for waiting. */
interface LockHolder {
  pid: string;
  releasing: boolean;
}

const RELEASING = ' releasing';

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
  try {
    if (!takeLock(fd, file)) {
      closeSync(fd);
      return undefined;
    }
    note(fd, '');
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { fd, announceRelease: () => note(fd, RELEASING), release: () => closeSync(fd) };
}

/** The holder of the lock on `file`, as written in the file. */
export function lockHolder(file: string): LockHolder {
  const text = readFileSync(file, 'utf8').trimEnd();
  return { pid: text.split(' ')[0] || 'unknown', releasing: text.endsWith(RELEASING) };
}

function note(fd: number, state: string): void {
  ftruncateSync(fd);
  writeSync(fd, `${String(process.pid)}${state}\n`);
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
