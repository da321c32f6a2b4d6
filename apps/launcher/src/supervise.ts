import { spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '@holdfast/foundation/errors';
import { type Service, untilAborted } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';

/** Ends with this code when it cannot start as it is configured: another try would end the same way. */
const REFUSAL = 1;

/**
 * Keeps one process running: restarts it when it ends, with growing pauses, until it is stopped; `stopBudgetMs` lie between SIGTERM
 * and SIGKILL. Starts once the process is ready. Fails to start with its `refusal` if it refuses before it was ever ready.
 */
export function supervise(
  name: string,
  launch: () => Promise<RunningProcess>,
  stopBudgetMs: number,
  log: Logger,
): Service {
  const stopping = new AbortController();
  let launching: Promise<RunningProcess> | undefined;
  let supervising: Promise<void> = Promise.resolve();

  const keepRunning = async (onReady: () => void): Promise<void> => {
    let hasBeenReady = false;
    for (let endsInARow = 0; ;) {
      const launchedAt = performance.now();
      launching = launch();
      let end: Awaited<RunningProcess['ended']> | { error: unknown };
      try {
        const running = await launching;
        log.info(endsInARow === 0 ? 'part.started' : 'part.restarted', { part: name, pid: running.pid });
        hasBeenReady = (await running.ready) || hasBeenReady;
        if (hasBeenReady) onReady();
        end = await running.ended;
        if (end.code === REFUSAL && !hasBeenReady) throw running.refusal();
      } catch (error) {
        if (!hasBeenReady) throw error;
        end = { error };
      }
      if (stopping.signal.aborted) return;
      endsInARow = performance.now() - launchedAt >= STABLE_AFTER_MS ? 1 : endsInARow + 1;
      const restartMs = restartDelayMs(endsInARow);
      log.error('part.ended', { part: name, ...end, restartMs });
      await delay(restartMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
    }
  };

  return {
    name,
    start: () =>
      new Promise<void>((resolve, reject) => {
        stopping.signal.addEventListener('abort', () => reject(new HoldfastError('SHUTTING_DOWN')));
        supervising = keepRunning(resolve).catch(reject);
      }),
    stop: async (deadline) => {
      stopping.abort();
      // A launch under way leaves a process, too.
      const running = await launching?.catch(() => undefined);
      await running?.stop(stopBudgetMs, deadline);
      await supervising;
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

export interface RunningProcess extends Awaited<ReturnType<typeof startChild>> {
  /** Resolves with false when the process ends before. */
  readonly ready: Promise<boolean>;
  /** Why it has refused to start. */
  refusal(): HoldfastError;
}

/**
 * Starts a child in its own session: Ctrl-C at the terminal then reaches only the launcher, which stops its children in
 * order. Rejects if the program cannot be run.
 */
export async function startChild(command: string, args: readonly string[], options: SpawnOptions) {
  const child = spawn(command, args, { ...options, detached: true });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  await once(child, 'spawn');
  child.on('error', () => undefined);
  return {
    child,
    pid: child.pid ?? 0,
    ended,
    /** SIGTERM; SIGKILL after `budgetMs` or once `deadline` aborts. Resolves when the process is gone. */
    stop: async (budgetMs: number, deadline: AbortSignal): Promise<void> => {
      child.kill('SIGTERM');
      const cut = AbortSignal.any([deadline, AbortSignal.timeout(budgetMs)]);
      await untilAborted(ended, cut).catch(() => child.kill('SIGKILL'));
      await ended;
    },
  };
}

/** Limits the growth of the heap's young generation under load, which V8 never shrinks. Saves 20 MB a process at rest. */
const HEAP_LIMIT = '--max-semi-space-size=4';

/**
 * Runs one of our own programs, the API or the worker, on the same Node.js, writing to the same terminal. The channel between the two is how it says that it has started, and
 * how it learns that the launcher is gone (`runUntilSignal`).
 */
export async function launchNodePart(
  name: string,
  script: string,
  env: NodeJS.ProcessEnv,
): Promise<RunningProcess> {
  const started = await startChild(process.execPath, [HEAP_LIMIT, script], {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const said = new Promise<boolean>((resolve) => started.child.once('message', () => resolve(true)));
  return {
    ...started,
    ready: Promise.race([said, started.ended.then(() => false)]),
    refusal: () => new HoldfastError('CONFIG_INVALID', `the ${name} refused to start, as it says above`),
  };
}
