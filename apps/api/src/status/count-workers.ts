import type { Settings } from '@holdfast/shared/config';
import type { MediaQueues } from '@holdfast/shared/jobs';
import { profileOf, type RedisClient } from '@holdfast/shared/redis';

export interface WorkerSources {
  settings: Pick<Settings, 'redis'>;
  redis: { request: RedisClient };
  queues: Pick<MediaQueues, 'queues'>;
}

export interface WorkerCount {
  /** How many workers are alive, null where that is not known now. `announcedUntil`: of each that has announced itself, in ms. */
  count(announcedUntil: readonly number[]): Promise<number | null>;
}

/** Workers whose announcements were lost look three times in this time, and announce themselves again at the first look. */
const ANNOUNCED_AGAIN_WITHIN_MS = 60_000;

/** After an outage of Redis workers may come back a moment after this process. */
const RECONNECTED_WITHIN_MS = 5_000;

/**
 * Workers announce themselves every minute, which a killed one cannot take back: so as many count as also have a connection now,
 * where the server lets us see that. An announcement that ran out stays in the list, so an empty list means that Redis was emptied
 * (or that the last worker left): then the connections alone count, until living workers must have announced themselves again.
 */
export function createWorkerCount(sources: WorkerSources): WorkerCount {
  const { settings, redis, queues } = sources;
  let emptySince: number | null = null;
  let reconnectedAt = -Infinity;
  redis.request.on('ready', () => {
    reconnectedAt = performance.now();
  });
  return {
    count: async (announcedUntil) => {
      // A proxy in front of the server knows its own connections only.
      const connected = profileOf(settings.redis).name === 'upstash' ? null : await connectedWorkers(queues);
      if (connected === 0 && performance.now() - reconnectedAt < RECONNECTED_WITHIN_MS) return null;
      if (announcedUntil.length > 0) {
        emptySince = null;
        return Math.min(announcedUntil.filter((ms) => ms > Date.now()).length, connected ?? Infinity);
      }
      emptySince ??= performance.now();
      return performance.now() - emptySince < ANNOUNCED_AGAIN_WITHIN_MS ? connected : 0;
    },
  };
}

/** Null where the server does not tell: BullMQ then gives one entry without an address, or passes the refusal on. */
async function connectedWorkers({ queues }: WorkerSources['queues']): Promise<number | null> {
  const found = await queues.verify.getWorkers().catch(() => null);
  if (found === null || found.some((worker) => worker['addr'] === undefined)) return null;
  return found.length;
}
