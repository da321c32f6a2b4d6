import { createBackoff } from '@holdfast/shared/lifecycle';

export interface Background {
  /** Begins the work, unless it is under way still, or rests since it failed. */
  begin(): void;
  /** Resolves once the work that was begun has ended, however that was. */
  ended(): Promise<void>;
}

/** Work that nobody waits for, one at a time. */
export function oneAtATime(work: () => Promise<void>, onError: (error: Error) => void): Background {
  const backoff = createBackoff();
  let underWay: Promise<void> | undefined;
  const failed = (error: Error): void => {
    void backoff.rest();
    onError(error);
  };
  return {
    begin: () => {
      if (backoff.isResting()) return;
      underWay ??= work()
        .then(() => backoff.reset(), failed)
        .finally(() => {
          underWay = undefined;
        });
    },
    ended: async () => underWay,
  };
}
