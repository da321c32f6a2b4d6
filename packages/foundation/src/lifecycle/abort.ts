import { setMaxListeners } from 'node:events';

const nothing = (): void => undefined;

/** A function, because the compiler treats `aborted` as constant once it has been read. */
export function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** The reason of an aborted signal, always an Error. */
export function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}

/** Calls `listener` once with the reason when the signal aborts later. Returns a function that removes it. */
export function onAbort(signal: AbortSignal | undefined, listener: (reason: Error) => void): () => void {
  if (signal === undefined) return nothing;
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
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // The loser of the race must not become an unhandled rejection.
  work.catch(() => undefined);
  if (isAborted(signal)) throw abortReason(signal);
  let forget = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    forget = onAbort(signal, reject);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    forget();
  }
}

/** The result, or `late` if it takes longer. A rejection before that passes through; a later one is ignored. */
export async function withinMs<T, L>(milliseconds: number, work: Promise<T>, late: L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  work.catch(() => undefined);
  try {
    return await Promise.race([
      work,
      new Promise<L>((resolve) => {
        timer = setTimeout(() => resolve(late), milliseconds);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
