import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@holdfast/shared/logging';
import { allGone, endProcesses } from '../processes/end-processes.js';
import type { FileLock } from '../processes/file-lock.js';
import { GUARD_PARTS_MS, GUARD_REDIS_MS } from '../processes/guard-messages.js';
import { REDIS_ROLE } from '../processes/process-registry.js';
import type { RunningEntry } from '../processes/running-file.js';

export interface Remains {
  left: readonly RunningEntry[];
  /** Succeeds once nobody has the folder open. */
  takeLock: () => FileLock | undefined;
  log: Logger;
}

const POLL_MS = 100;
const SETTLE_MS = 2_000;

/**
 * Ends what a killed start left behind, the API and the worker before Redis, and takes the lock that they held.
 * Undefined when the folder is still open to somebody afterwards.
 */
export async function endRemains({ left, takeLock, log }: Remains): Promise<FileLock | undefined> {
  if (left.length > 0) {
    log.warn('remains.found', { processes: left.map(({ role, pid }) => ({ role, pid })) });
    await waitForGuard(left);
    const others = left.filter((one) => one.role !== REDIS_ROLE);
    await endProcesses(others, GUARD_PARTS_MS);
    await endProcesses(
      left.filter((one) => one.role === REDIS_ROLE),
      GUARD_REDIS_MS,
    );
    log.info('remains.ended', { count: left.length });
  }
  const until = performance.now() + SETTLE_MS;
  for (;;) {
    const lock = takeLock();
    if (lock !== undefined || performance.now() >= until) return lock;
    await delay(POLL_MS);
  }
}

/** A guard that still lives is ending the others at this moment, in the right order. */
async function waitForGuard(left: readonly RunningEntry[]): Promise<void> {
  const guards = left.filter((one) => one.role === 'guard');
  if (guards.length > 0) await allGone(left, GUARD_PARTS_MS + GUARD_REDIS_MS);
}
