import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, signalProcess, type ProcessIdentity } from './process-identity.js';

const POLL_MS = 25;

/** SIGTERM to all of them, SIGKILL to those still there after `softMs`. Resolves when none is left. */
export async function endProcesses(processes: readonly ProcessIdentity[], softMs: number): Promise<void> {
  for (const one of processes) signalProcess(one, 'SIGTERM');
  if (await allGone(processes, softMs)) return;
  for (const one of processes) signalProcess(one, 'SIGKILL');
  await allGone(processes, Number.POSITIVE_INFINITY);
}

/** Whether none of them runs any more within `withinMs`. */
export async function allGone(processes: readonly ProcessIdentity[], withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  while (processes.some((one) => isRunning(one))) {
    if (performance.now() >= until) return false;
    await delay(POLL_MS);
  }
  return true;
}
