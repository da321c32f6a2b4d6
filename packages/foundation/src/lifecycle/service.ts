import { HoldfastError } from '../errors/index.js';

/** Anything long-lived: a server, a worker, a timer, a connection. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  /** Refuses new work; resolves once drained, or cut short once `deadline` aborts. Safe twice, and before start. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** A service from two functions; starting or stopping again while it is under way shares the first promise. */
export function service(
  name: string,
  parts: { start?: () => Promise<void> | void; stop?: (deadline: AbortSignal) => Promise<void> | void },
): Service {
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  return {
    name,
    start: () => (starting ??= (async () => parts.start?.())()),
    stop: (deadline) =>
      (stopping ??= (async () => {
        if (starting === undefined && parts.start !== undefined) return;
        await starting?.catch(() => undefined);
        await parts.stop?.(deadline);
      })()),
  };
}

/** What a stack reports instead of throwing it. */
export interface StackEvents {
  /** Called when one service fails to stop; the others are stopped all the same. */
  stopFailed(name: string, error: unknown): void;
}

/**
 * Starts services in order and stops them in reverse, so that what others stand on goes last.
 * A start that fails stops what had already started, then throws. A stop during the start makes it give up.
 */
export function stack(services: readonly Service[], events: StackEvents): Service {
  const started: Service[] = [];
  let stopping = false;
  const lifecycle = onceEach({
    start: async () => {
      for (const one of services) {
        started.push(one);
        try {
          await one.start();
        } catch (error) {
          // All callers share one stop. Two at once would stop services that depend on each other at the same time.
          await lifecycle.stop(AbortSignal.timeout(5_000));
          throw error;
        }
        if (stopping) throw new HoldfastError('SHUTTING_DOWN');
      }
    },
    stop: async (deadline) => {
      stopping = true;
      for (let next = started.pop(); next !== undefined; next = started.pop()) {
        const { name } = next;
        await withDeadline(next.stop(deadline), deadline).catch((error: unknown) =>
          events.stopFailed(name, error),
        );
      }
    },
  });
  return { name: 'stack', ...lifecycle };
}

/** After the deadline a service gets this long to end, then the stop goes on without it. */
const GRACE_MS = 1_000;

async function withDeadline(work: Promise<void>, deadline: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      timer = setTimeout(() => reject(new Error('not stopped within its deadline')), GRACE_MS);
    };
    if (deadline.aborted) onAbort();
    else deadline.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    if (onAbort) deadline.removeEventListener('abort', onAbort);
  }
}

/** Services that do not need each other, as one: started and stopped at the same time. */
export function together(name: string, services: readonly Service[]): Service {
  return {
    name,
    ...onceEach({
      start: async () => void (await Promise.all(services.map((one) => one.start()))),
      stop: async (deadline) => {
        // All of them, also when one fails: what they stand on is stopped next.
        const ends = await Promise.allSettled(services.map((one) => one.stop(deadline)));
        for (const end of ends) if (end.status === 'rejected') throw end.reason;
      },
    }),
  };
}

/**
 * Start and stop for a service whose stop cuts its start short: each runs once, a stop before the start does nothing, and
 * nothing starts after a stop.
 */
export function onceEach(parts: Omit<Service, 'name'>): Omit<Service, 'name'> {
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  return {
    // In a later tick: a start that fails at once may call stop.
    start: () =>
      (starting ??= stopping === undefined ? Promise.resolve().then(() => parts.start()) : refuse()),
    stop: (deadline) => (stopping ??= starting === undefined ? Promise.resolve() : parts.stop(deadline)),
  };
}

async function refuse(): Promise<never> {
  throw new HoldfastError('SHUTTING_DOWN');
}
