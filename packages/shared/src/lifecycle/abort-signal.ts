import { setMaxListeners } from 'node:events';

const nothing = (): void => undefined;

/** A function, since the compiler takes `aborted` for constant once it was looked at. */
export function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** What an aborted signal asks callers to reject with, always an Error. */
export function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}

/** Calls `listener` once, with the reason, when the signal aborts later; gives a function that forgets it. */
export function onAbort(signal: AbortSignal | undefined, listener: (reason: Error) => void): () => void {
  if (signal === undefined) return nothing;
  const onEvent = (): void => listener(abortReason(signal));
  // One signal may end many calls at once; that is no leak, since each of them forgets it.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', onEvent, { once: true });
  return () => signal.removeEventListener('abort', onEvent);
}
