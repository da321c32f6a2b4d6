import { HoldfastError } from '../errors/index.js';
import type { Service } from './service.js';

/**
 * Start and stop as a service promises them, for one whose stop cuts a start short: each runs once, a stop before the
 * start has nothing to do, and nothing starts after a stop.
 */
export function onceEach(parts: Omit<Service, 'name'>): Omit<Service, 'name'> {
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  return {
    // Not within this call: a start that fails at once may ask for the stop.
    start: () =>
      (starting ??= stopping === undefined ? Promise.resolve().then(() => parts.start()) : refuse()),
    stop: (deadline) => (stopping ??= starting === undefined ? Promise.resolve() : parts.stop(deadline)),
  };
}

async function refuse(): Promise<never> {
  throw new HoldfastError('SHUTTING_DOWN');
}
