/** Holds the newest thing that came and nobody has taken yet. */
export interface Inbox<T> {
  put(thing: T): void;
  /** The newest thing, at once or when it comes; null when the time is up or the signal aborts. */
  next(waitMs: number, signal: AbortSignal): Promise<T | null>;
}

export function createInbox<T extends object>(): Inbox<T> {
  let newest: T | null = null;
  let wake = (): void => undefined;
  return {
    put: (thing) => {
      newest = thing;
      wake();
    },
    next: async (waitMs, signal) => {
      if (newest === null && !signal.aborted)
        await new Promise<void>((resolve) => {
          const done = (): void => {
            clearTimeout(timer);
            signal.removeEventListener('abort', done);
            wake = () => undefined;
            resolve();
          };
          const timer = setTimeout(done, waitMs);
          signal.addEventListener('abort', done, { once: true });
          wake = done;
        });
      const taken = newest;
      newest = null;
      return taken;
    },
  };
}
