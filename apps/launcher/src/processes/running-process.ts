import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import type { ProcessRegistry } from './process-registry.js';

export interface ProcessEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  uptimeMs: number;
}

export interface RunningProcess {
  readonly pid: number;
  /** Rejects when the process ends before it is ready. */
  readonly ready: Promise<void>;
  readonly ended: Promise<ProcessEnd>;
  /** SIGTERM; SIGKILL after `budgetMs` or once `deadline` aborts. Resolves when the process is gone. */
  stop(budgetMs: number, deadline: AbortSignal): Promise<void>;
}

export interface StartedChild {
  child: ChildProcess;
  pid: number;
  ended: Promise<ProcessEnd>;
  stop: RunningProcess['stop'];
}

/**
 * Starts a child in a session of its own: a Ctrl-C at the terminal reaches the launcher alone, which stops its
 * children in order. Rejects when the program cannot be run.
 */
export async function startChild(
  role: string,
  command: string,
  args: readonly string[],
  options: SpawnOptions,
  registry: ProcessRegistry,
): Promise<StartedChild> {
  const startedAt = performance.now();
  const child = spawn(command, args, { ...options, detached: true });
  const { pid } = child;
  // Registered in the same tick: from here on the guard knows of it.
  if (pid !== undefined) registry.add(role, pid);
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once('exit', (code, signal) => {
      if (pid !== undefined) registry.remove(pid);
      resolve({ code, signal, uptimeMs: performance.now() - startedAt });
    });
  });
  if (pid === undefined) {
    throw await new Promise<Error>((resolve) => {
      child.once('error', resolve);
    });
  }
  child.on('error', () => undefined);
  return { child, pid, ended, stop: (budgetMs, deadline) => stopChild(child, ended, budgetMs, deadline) };
}

async function stopChild(
  child: ChildProcess,
  ended: Promise<ProcessEnd>,
  budgetMs: number,
  deadline: AbortSignal,
): Promise<void> {
  const cut = AbortSignal.any([deadline, AbortSignal.timeout(budgetMs)]);
  const kill = (): void => void child.kill('SIGKILL');
  if (cut.aborted) kill();
  else {
    cut.addEventListener('abort', kill, { once: true });
    child.kill('SIGTERM');
  }
  await ended;
  cut.removeEventListener('abort', kill);
}
