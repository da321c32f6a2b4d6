/** What has to be ended again, the last first. */
export interface CleanUp {
  defer(end: () => Promise<unknown>): void;
  run(): Promise<void>;
}

/** Ends everything also where ending one of them fails. */
export function cleanUp(): CleanUp {
  const ends: (() => Promise<unknown>)[] = [];
  return {
    defer: (end) => void ends.push(end),
    run: async () => {
      for (let end = ends.pop(); end !== undefined; end = ends.pop()) {
        await end().catch((error: unknown) => process.stderr.write(`clean-up: ${String(error)}\n`));
      }
    },
  };
}
