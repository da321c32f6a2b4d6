import { setMaxListeners } from 'node:events';

/** The reason of an aborted signal, always an Error. */
function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}

/** Calls `listener` once with the reason when the signal aborts later. Returns a function that removes it. */
export function onAbort(signal: AbortSignal | undefined, listener: (reason: Error) => void): () => void {
  if (signal === undefined) return () => undefined;
  const onEvent = (): void => listener(abortReason(signal));
  // One signal may end many calls at once. That is not a leak: each call removes its listener.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', onEvent, { once: true });
  return () => signal.removeEventListener('abort', onEvent);
}

/**
 * The outcome of the work, or a rejection with the signal's reason, whichever comes first. The work itself continues and its
 * outcome is ignored: only for work that changes nothing, or that watches the signal itself.
 */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, reject);
    if (signal.aborted) reject(abortReason(signal));
    void work.finally(forget).then(resolve, reject);
  });
}

/** The result, or `late` if it takes longer. A rejection before that passes through; a later one is ignored. */
export function withinMs<T, L>(milliseconds: number, work: Promise<T>, late: L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(late), milliseconds);
    void work.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
