/** How far the stop of this process has come. Handlers that wait or move bytes listen to it. */
export interface Shutdown {
  /** Aborts when the process is asked to stop: no new uploads, no more waiting for results. */
  readonly draining: AbortSignal;
  /** Aborts at the end of the budget: whatever still runs is cut now. */
  readonly cut: AbortSignal;
  drain(): void;
  cutAll(): void;
}

export function createShutdown(): Shutdown {
  const draining = new AbortController();
  const cut = new AbortController();
  return {
    draining: draining.signal,
    cut: cut.signal,
    drain: () => draining.abort(),
    cutAll: () => {
      draining.abort();
      cut.abort();
    },
  };
}
