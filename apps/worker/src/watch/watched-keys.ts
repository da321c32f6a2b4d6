import { setTimeout as pause } from 'node:timers/promises';
import { statusCode } from '@holdfast/shared/catalog';
import { queueNames, type QueueName } from '@holdfast/shared/jobs';
import {
  defineScript,
  fromRedisError,
  profileOfClient,
  type QueuePart,
  type RedisClient,
  type RedisKeys,
} from '@holdfast/shared/redis';

/** What one look at Redis shows. */
export interface Sight {
  /** The catalog has been emptied. */
  emptied: boolean;
  /** So has Redis, as it seems: the list of workers is gone, though a sync may have begun the catalog anew already. */
  forgotten: boolean;
  /** The recurring sync is gone, though it is wanted. */
  scheduleGone: boolean;
  active: QueueName[];
  waiting: QueueName[];
  /** Queues with a delayed job, its time aside. The sync queue always has one and is asked about apart. */
  delayed: QueueName[];
  /** Something for the sweeps: intents, refused uploads, edits to push, deletions to finish. */
  unfinished: boolean;
  /** Intents among them: of uploads under way, or that a crash cut off a moment ago. */
  uploading: boolean;
}

const QUIET: Sight = {
  emptied: false,
  forgotten: false,
  scheduleGone: false,
  active: [],
  waiting: [],
  delayed: [],
  unfinished: false,
  uploading: false,
};

/** In a script, which the primary runs. */
const isThereScript = defineScript(`return redis.call('EXISTS', KEYS[1])`);

/** That Redis was emptied is believed only after a second look, where the first may have been at a replica that is behind. */
async function isThereAfterAll(redis: RedisClient, key: string): Promise<boolean> {
  const { readsLagMs } = profileOfClient(redis);
  if (readsLagMs === 0) return false;
  await pause(readsLagMs);
  return (await isThereScript(redis, [key], [])) === 1;
}

/**
 * Looks at everything that the watch must notice with one EXISTS, since Redis has no empty lists and sets: when nothing is
 * under way, that one command is all. The keys that must be there are named so often that the sum tells them from the
 * rest.
 */
export function createWatchedKeys(redis: RedisClient, keys: RedisKeys, scheduleWanted: boolean) {
  const queueKeys = (part: QueuePart, queues: readonly QueueName[] = queueNames) =>
    queues.map((queue) => ({ queue, key: keys.queue(queue, part) }));
  const active = queueKeys('active');
  const waiting = [...queueKeys('wait'), ...queueKeys('prioritized')];
  const delayed = queueKeys('delayed', ['save', 'verify']);
  const unfinished = [keys.intents, keys.refused, keys.unpushed, keys.byStatus(statusCode.deleting)];
  const schedule = keys.queue('sync', 'repeat');

  const occasional = [...active, ...waiting, ...delayed].map(({ key }) => key).concat(unfinished);
  const weight = occasional.length + 1;
  const times = (key: string, count: number): string[] => Array.from({ length: count }, () => key);
  const all = [
    ...occasional,
    ...times(keys.born, weight),
    ...times(keys.workers, 2 * weight),
    ...(scheduleWanted ? times(schedule, 4 * weight) : []),
  ];
  const quietSum = all.length - occasional.length;

  return async (): Promise<Sight> => {
    try {
      // Plain, from wherever it is answered: what seems to be lost is looked at again.
      if (Number(await redis.call('EXISTS', ...all)) === quietSum) return QUIET;
      const each = [keys.born, keys.workers, schedule, ...occasional];
      const pipeline = redis.pipeline();
      for (const key of each) pipeline.exists(key);
      const replies = (await pipeline.exec()) ?? [];
      const present = new Set(
        each.filter((_, index) => {
          const [error, count] = replies[index] ?? [null, 0];
          if (error) throw error;
          return count === 1;
        }),
      );
      if (!present.has(keys.born) && (await isThereAfterAll(redis, keys.born))) present.add(keys.born);
      const queuesOf = (entries: readonly { queue: QueueName; key: string }[]): QueueName[] => [
        ...new Set(entries.filter(({ key }) => present.has(key)).map(({ queue }) => queue)),
      ];
      return {
        emptied: !present.has(keys.born),
        forgotten: !present.has(keys.workers),
        scheduleGone: scheduleWanted && !present.has(schedule),
        active: queuesOf(active),
        waiting: queuesOf(waiting),
        delayed: queuesOf(delayed),
        unfinished: unfinished.some((key) => present.has(key)),
        uploading: present.has(keys.intents),
      };
    } catch (error) {
      throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
    }
  };
}
