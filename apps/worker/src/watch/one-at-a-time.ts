export interface Background {
  /** Begins the work, unless it is under way still. */
  begin(): void;
  /** Resolves once the work that was begun has ended, however that was. */
  ended(): Promise<void>;
}

/** Work that nobody waits for, one at a time. */
export function oneAtATime(work: () => Promise<void>, onError: (error: Error) => void): Background {
  let underWay: Promise<void> | undefined;
  return {
    begin: () => {
      underWay ??= work()
        .catch(onError)
        .finally(() => {
          underWay = undefined;
        });
    },
    ended: async () => underWay,
  };
}
