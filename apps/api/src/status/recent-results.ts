import { onCommandFailure, type RedisClient, type RedisProfile } from '@holdfast/shared/redis';

/**
 * Results of measurements that requests share, by one rule: for half a second in any case, and while no command fails for as long as the
 * profile says. Rented servers bill each command, and probes ask every few seconds.
 */
export interface RecentResults {
  /** `measure`, run at most once at a time. It must not reject. */
  share<T>(measure: () => Promise<T>): () => Promise<T>;
  /** What was measured may be wrong: it counts for half a second at most. */
  doubt(): void;
  /** The next request measures. */
  forget(): void;
}

const SHARED_MS = 500;

/** Connections that come or go end the sharing; a failed command of `clients` casts doubt. */
export function createRecentResults(
  { healthFreshMs }: Pick<RedisProfile, 'healthFreshMs'>,
  clients: readonly RedisClient[],
): RecentResults {
  let epoch = 0;
  let doubts = 0;
  const forget = (): void => void (epoch += 1);
  const doubt = (): void => void (doubts += 1);
  for (const client of clients) {
    for (const event of ['close', 'ready', 'error']) client.on(event, forget);
    onCommandFailure(client, doubt);
  }
  return {
    doubt,
    forget,
    share: <T>(measure: () => Promise<T>) => {
      // While it is being measured its age is below zero.
      let last: { result: Promise<T>; endedAt: number; epoch: number; doubts: number } | undefined;
      return async () => {
        if (last?.epoch === epoch) {
          const ageMs = performance.now() - last.endedAt;
          if (ageMs < (last.doubts === doubts ? healthFreshMs : SHARED_MS)) return last.result;
        }
        const begun = { result: measure(), endedAt: Infinity, epoch, doubts };
        last = begun;
        try {
          return await begun.result;
        } finally {
          begun.endedAt = performance.now();
        }
      };
    },
  };
}
