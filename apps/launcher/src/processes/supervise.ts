import { setTimeout as delay } from 'node:timers/promises';
import type { Service } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';
import { backoffMs, type BackoffPolicy } from './backoff.js';
import type { ProcessEnd, RunningProcess } from './running-process.js';

export interface SupervisedPart {
  name: string;
  launch(): Promise<RunningProcess>;
  /** Time between SIGTERM and SIGKILL. */
  stopBudgetMs: number;
  /** Called before each restart; it may wait for what the restart needs. */
  beforeRestart?(stopping: AbortSignal): Promise<void>;
  /** When given, exit code 1 soon after the first start is final: it is the part's word that its settings are wrong. */
  onRefusal?(code: number): void;
}

/** Exit code 1 within this time of the first start means that the part refuses its configuration. */
const REFUSAL_MS = 5_000;

/** Keeps one process running: starts it again when it ends, with growing pauses, until it is told to stop. */
export function supervise(part: SupervisedPart, log: Logger, backoff: BackoffPolicy): Service {
  const stopping = new AbortController();
  let running: RunningProcess | undefined;
  let launching: Promise<unknown> = Promise.resolve();
  let watching: Promise<void> = Promise.resolve();

  const launch = (): Promise<RunningProcess> => {
    const attempt = (async () => {
      running = await part.launch();
      // Whoever waits for it sees the rejection; without this, one that nobody waits for would end the launcher.
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
      endsInARow = end !== undefined && end.uptimeMs >= backoff.stableAfterMs ? 1 : endsInARow + 1;
      const restartMs = backoffMs(backoff, endsInARow);
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
