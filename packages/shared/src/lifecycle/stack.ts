import { HoldfastError } from '../errors/index.js';
import { onceEach } from './once-each.js';
import type { Service } from './service.js';

/** Whom a stack tells of what it does not throw. */
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
          // The same stop for all who ask: two of them would stop at the same time what stands on each other.
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

/** Extra time after the deadline in which a service may cut itself short before we go on without it. */
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
