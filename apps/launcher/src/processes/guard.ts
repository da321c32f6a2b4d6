import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Service } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { ProcessRegistry } from './processes.js';

const GUARD_SCRIPT = fileURLToPath(new URL('guard-main.js', import.meta.url));
const RESTART_MS = 200;

/** One line of JSON on the guard's standard input. */
export type GuardMessage = { add: { role: string; pid: number } } | { remove: number };

export interface GuardOptions {
  log: Logger;
  /** Inherited by the guard, so that the data folder stays locked until it has ended everything. */
  lockFd: number | undefined;
  /** Where the guard registers itself. */
  ownRegistry: ProcessRegistry | undefined;
}

/** Ends every registered process when the launcher dies, even by kill -9. A guard that dies is replaced. */
export function createGuard({ log, lockFd, ownRegistry }: GuardOptions): Service & ProcessRegistry {
  const known = new Map<number, string>();
  let guard: ChildProcess | undefined;
  let gone: Promise<void> = Promise.resolve();
  let restart: NodeJS.Timeout | undefined;
  let stopping = false;

  const send = (message: GuardMessage): void => {
    guard?.stdin?.write(`${JSON.stringify(message)}\n`);
  };
  const replaceAfter = async (ended: Promise<void>, pid: number | undefined): Promise<void> => {
    await ended;
    if (pid !== undefined) ownRegistry?.remove(pid);
    if (stopping) return;
    log.warn('guard.ended', { restartMs: RESTART_MS });
    restart = setTimeout(begin, RESTART_MS);
  };
  const begin = (): void => {
    const child = spawn(process.execPath, [GUARD_SCRIPT], {
      cwd: '/',
      detached: true,
      env: {},
      stdio: ['pipe', 'ignore', 'inherit', ...(lockFd === undefined ? [] : [lockFd])],
    });
    guard = child;
    child.stdin?.on('error', () => undefined);
    // Before it registers itself: a guard that others can see must know every process.
    for (const [knownPid, role] of known) send({ add: { role, pid: knownPid } });
    const { pid } = child;
    if (pid !== undefined) ownRegistry?.add('guard', pid);
    // An error of a running guard is not its end, and a failed spawn may also be reported as an exit. Each guard must end
    // once, or two would replace it.
    child.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => {
      child.once(pid === undefined ? 'error' : 'exit', () => resolve());
    });
    gone = replaceAfter(ended, pid);
  };

  return {
    name: 'guard',
    add: (role, pid) => {
      known.set(pid, role);
      send({ add: { role, pid } });
    },
    remove: (pid) => {
      known.delete(pid);
      send({ remove: pid });
    },
    start: async () => begin(),
    stop: async () => {
      stopping = true;
      clearTimeout(restart);
      guard?.stdin?.end();
      await gone;
    },
  };
}
