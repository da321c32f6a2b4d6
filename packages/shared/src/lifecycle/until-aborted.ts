import { abortReason, isAborted, onAbort } from './abort-signal.js';

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
