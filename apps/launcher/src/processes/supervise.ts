import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Service } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { ProcessRegistry } from './processes.js';

interface SupervisedPart {
  name: string;
  launch(): Promise<RunningProcess>;
  /** Time between SIGTERM and SIGKILL. */
  stopBudgetMs: number;
  /** Called before each restart; it may wait for what the restart needs. */
  beforeRestart?(stopping: AbortSignal): Promise<void>;
  /** If given, exit code 1 soon after the first start is final: the settings are wrong. */
  onRefusal?(code: number): void;
}

/** Exit code 1 within this time of the first start means that the process rejects its configuration. */
const REFUSAL_MS = 5_000;

/** Keeps one process running: restarts it when it ends, with growing pauses, until it is stopped. */
export function supervise(part: SupervisedPart, log: Logger): Service {
  const stopping = new AbortController();
  let running: RunningProcess | undefined;
  let launching: Promise<unknown> = Promise.resolve();
  let watching: Promise<void> = Promise.resolve();

  const launch = (): Promise<RunningProcess> => {
    const attempt = (async () => {
      running = await part.launch();
      // Callers that await it see the rejection. An unawaited one must not end the launcher.
      running.ready.catch(() => undefined);
      return running;
    })();
    launching = attempt.catch(() => undefined);
    return attempt;
  };

  const relaunch = async (): Promise<RunningProcess | undefined> => {
    try {
      await part.beforeRestart?.(stopping.signal);
      if (stopping.signal.aborted) return undefined;
      const next = await launch();
      log.info('part.restarted', { part: part.name, pid: next.pid });
      return next;
    } catch (error) {
      if (!stopping.signal.aborted) log.error('part.restart_failed', { part: part.name, error });
      return undefined;
    }
  };

  const watch = async (first: RunningProcess): Promise<void> => {
    let endsInARow = 0;
    let current: RunningProcess | undefined = first;
    while (!stopping.signal.aborted) {
      const end: ProcessEnd | undefined = await current?.ended;
      if (stopping.signal.aborted) return;
      if (current === first && part.onRefusal && end?.code === 1 && end.uptimeMs < REFUSAL_MS) {
        log.error('part.refused_to_start', { part: part.name, code: end.code });
        part.onRefusal(end.code);
        return;
      }
      endsInARow = end !== undefined && end.uptimeMs >= STABLE_AFTER_MS ? 1 : endsInARow + 1;
      const restartMs = restartDelayMs(endsInARow);
      if (end) log.error('part.ended', { part: part.name, code: end.code, signal: end.signal, restartMs });
      await delay(restartMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      current = await relaunch();
    }
  };

  return {
    name: part.name,
    start: async () => {
      const first = await launch();
      log.info('part.started', { part: part.name, pid: first.pid });
      await first.ready;
      watching = watch(first);
    },
    stop: async (deadline) => {
      stopping.abort();
      await launching;
      await running?.stop(part.stopBudgetMs, deadline);
      await watching;
    },
  };
}

const FIRST_RESTART_MS = 200;
const LONGEST_RESTART_MS = 10_000;
/** After a run this long the restart delay begins at its first value again. */
const STABLE_AFTER_MS = 30_000;

/** The delay before the restart after the n-th end in a row (from 1), in milliseconds: doubled each time, up to the limit. */
export function restartDelayMs(endsInARow: number): number {
  return Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** Math.min(30, endsInARow - 1));
}

interface ProcessEnd {
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

interface StartedChild {
  child: ChildProcess;
  pid: number;
  ended: Promise<ProcessEnd>;
  stop: RunningProcess['stop'];
}

/**
 * Starts a child in its own session: Ctrl-C at the terminal then reaches only the launcher, which stops its children in
 * order. Rejects if the program cannot be run.
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
  // Registered in the same tick, so that the guard knows it from the start.
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

/** One of our own programs: the API or the worker. */
export interface NodePart {
  name: string;
  /** Absolute path of its main file. */
  script: string;
}

/** Limits the growth of the heap's young generation under load, which V8 never shrinks. Saves 20 MB a process at rest. */
const HEAP_LIMIT = '--max-semi-space-size=4';

/** Runs it on the same Node.js, writing to the same terminal. */
export async function launchNodePart(
  part: NodePart,
  env: NodeJS.ProcessEnv,
  registry: ProcessRegistry,
): Promise<RunningProcess> {
  const { pid, ended, stop } = await startChild(
    part.name,
    process.execPath,
    [HEAP_LIMIT, part.script],
    { env, stdio: ['ignore', 'inherit', 'inherit'] },
    registry,
  );
  return { pid, ended, stop, ready: Promise.resolve() };
}
