import { setMaxListeners } from 'node:events';

/** How far the stop of this process has come. Handlers that wait or move bytes listen to it. */
export interface Shutdown {
  /** Aborts when the process is asked to stop: no new uploads, no more waiting for results. */
  readonly draining: AbortSignal;
  /** Aborts at the end of the budget: whatever still runs is cut. */
  readonly cut: AbortSignal;
  drain(): void;
  /** Called after `drain`. */
  cutAll(): void;
}

/** Neither stage has begun. */
export function createShutdown(): Shutdown {
  const draining = new AbortController();
  const cut = new AbortController();
  // Every upload and every wait listens for as long as it lasts; many at once are not a leak.
  setMaxListeners(0, draining.signal, cut.signal);
  return {
    draining: draining.signal,
    cut: cut.signal,
    drain: () => draining.abort(),
    cutAll: () => cut.abort(),
  };
}
