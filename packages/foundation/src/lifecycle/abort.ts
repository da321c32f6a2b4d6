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

/**
 * The outcome of the work, or a rejection with the signal's reason, whichever is first. The work goes on, and what becomes
 * of it then is of no interest: only for work that changes nothing by itself, or that ends itself on the signal.
 */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // Whichever loses the race must not end the process.
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

/** The result, or `late` when it takes longer. A rejection before that passes through; one after it is of no interest. */
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
