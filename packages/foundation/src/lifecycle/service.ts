import { HoldfastError } from '../errors/index.js';
import type { Logger } from '../logging/index.js';
import { untilAborted, withinMs } from './abort.js';

/** Anything long-lived: a server, a worker, a timer, a connection. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  /** Refuses new work; resolves once drained, or cut short once `deadline` aborts. Safe twice, and before start. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** A service from two functions, each of which runs once. A stop waits for the start that is under way. */
export function service(
  name: string,
  parts: { start: () => Promise<void> | void; stop: (deadline: AbortSignal) => Promise<void> | void },
): Service {
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  return {
    name,
    start: () => (starting ??= (async () => parts.start())()),
    stop: (deadline) =>
      (stopping ??= (async () => {
        if (starting === undefined) return;
        await starting.catch(() => undefined);
        await parts.stop(deadline);
      })()),
  };
}

/**
 * Starts services in order and stops them in reverse, so that what others stand on goes last; those of an inner list, which do not need
 * each other, at the same time. A start that fails stops what had already started, then throws. A stop during the start makes it give up.
 * A service that fails to stop is logged, and the others are stopped all the same.
 */
export function stack(services: readonly (Service | readonly Service[])[], log: Logger): Service {
  const started: Service[][] = [];
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  const startAll = async (): Promise<void> => {
    for (const entry of services) {
      refuseStopped();
      const group = [entry].flat();
      started.push(group);
      await Promise.all(group.map((one) => one.start()));
    }
    refuseStopped();
  };
  const refuseStopped = (): void => {
    if (stopping !== undefined) throw new HoldfastError('SHUTTING_DOWN');
  };
  const stopAll = async (deadline: AbortSignal): Promise<void> => {
    for (const group of started.toReversed())
      await Promise.all(group.map((one) => stopWithin(deadline, one, log)));
  };
  // All callers share one stop. Two at once would stop services that depend on each other at the same time.
  const stop = (deadline: AbortSignal): Promise<void> => (stopping ??= stopAll(deadline));
  return {
    name: 'stack',
    start: () =>
      (starting ??= startAll().catch(async (error: unknown) => {
        await stop(AbortSignal.timeout(5_000));
        throw error;
      })),
    stop,
  };
}

/** After the deadline a service gets this long to end, then the stop continues without it. */
const GRACE_MS = 1_000;

async function stopWithin(deadline: AbortSignal, one: Service, log: Logger): Promise<void> {
  try {
    const stopped = one.stop(deadline).then(() => true);
    const isInTime = await untilAborted(stopped, deadline).catch(() => withinMs(GRACE_MS, stopped, false));
    if (!isInTime) throw new Error('not stopped within its deadline');
  } catch (error) {
    log.error('part.stop_failed', { part: one.name, error });
  }
}
