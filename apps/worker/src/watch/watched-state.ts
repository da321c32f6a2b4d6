import { randomUUID } from 'node:crypto';
import { signsOfOldIndexes, statusCode } from '@holdfast/shared/catalog';
import { queueNames, type QueueName } from '@holdfast/shared/jobs';
import { withinMs } from '@holdfast/foundation/lifecycle';
import {
  defineScript,
  redisEdge,
  type QueuePart,
  type RedisClient,
  type RedisKeys,
} from '@holdfast/shared/redis';

const mediaQueues = ['save', 'verify'] as const satisfies readonly QueueName[];

/** How often a worker registers, in the same step as a check. */
const REFRESH_MS = 60_000;
/** How long that counts: one refresh may be missed. */
const VALID_MS = 150_000;
/** A worker that cannot unregister expires. */
const LEAVE_WITHIN_MS = 1_000;
/** BullMQ keeps the time of a delayed job in the upper bits of its score, a running number in the lower 12. */
const SCORE_PER_MS = 0x1000;

/**
 * KEYS: those of the one EXISTS, then each key once (epoch, the schedule, what is there when something is to be done, with the delayed
 * jobs of save and verify last), then the delayed syncs, then the workers. ARGV: how many the first are, and what EXISTS answers when
 * nothing is under way; how many delayed jobs; then of a refresh: own id, ms until it counts. Answers which keys are there (false = as
 * when nothing is under way), and when the first delayed jobs are due.
 */
const lookScript = defineScript(`
local call, count, last = redis.call, tonumber(ARGV[1]), #KEYS - 1
local there, heads, first = false, {}, last
if call('EXISTS', unpack(KEYS, 1, count)) ~= tonumber(ARGV[2]) then
  there, first = {}, last - tonumber(ARGV[3])
  for i = count + 1, last - 1 do if call('EXISTS', KEYS[i]) == 1 then there[#there + 1] = KEYS[i] end end
end
for i = first, last do heads[#heads + 1] = call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2] or false end
if ARGV[4] then call('ZADD', KEYS[#KEYS], ARGV[5], ARGV[4]) end
return { there, heads }
`);

/**
 * Looks at everything that the watch must notice with one EXISTS, since Redis has no empty lists and sets: when nothing is
 * under way, that one command is all. The keys that must be there are named so often that the sum distinguishes them from the
 * rest. Where something is under way, and once a minute, when this worker says that it is alive, one script looks at each.
 */
export function createLook(redis: RedisClient, keys: RedisKeys, scheduleWanted: boolean) {
  const workerId = randomUUID();
  let refreshedAt = -Infinity;

  const schedule = keys.queue('sync', 'repeat');
  const unfinished = [keys.intents, keys.refused, keys.unpushed, keys.byStatus(statusCode.deleting)];
  const oldIndexes = signsOfOldIndexes(keys);
  const parts = (...names: QueuePart[]): string[] =>
    names.flatMap((part) => queueNames.map((queue) => keys.queue(queue, part)));
  const delayed = mediaQueues.map((queue) => keys.queue(queue, 'delayed'));
  const occasional = [...parts('active', 'wait', 'prioritized'), ...unfinished, ...oldIndexes, ...delayed];
  const weight = occasional.length + 1;
  const times = (key: string, count: number): string[] => Array.from({ length: count }, () => key);
  const permanent = [...times(keys.epoch, weight), ...(scheduleWanted ? times(schedule, 2 * weight) : [])];
  const all = [...occasional, ...permanent];
  const each = [keys.epoch, schedule, ...occasional, keys.queue('sync', 'delayed')];

  /** What it means that of all these keys just those are there, and that the first delayed jobs are due then, in ms. */
  const stateOf = (there: readonly string[], dueAt: Partial<Record<QueueName, number>>) => {
    const isThere = (key: string): boolean => there.includes(key);
    const queuesWith = (...names: QueuePart[]): QueueName[] =>
      queueNames.filter((queue) => names.some((part) => isThere(keys.queue(queue, part))));
    return {
      /** The catalog has been emptied. */
      emptied: !isThere(keys.epoch),
      /** The recurring sync is gone although it should be there. */
      scheduleGone: scheduleWanted && !isThere(schedule),
      active: queuesWith('active'),
      waiting: queuesWith('wait', 'prioritized'),
      /** When the first delayed job of a queue is due. That of syncs, which always has one, is read once a minute. */
      delayed: dueAt,
      /** Something for the sweeps: intents, refused uploads, edits to push, deletions to finish. */
      unfinished: unfinished.some(isThere),
      /** Intents or refused uploads among them: of uploads under way, or to be settled within a minute. */
      uploading: isThere(keys.intents) || isThere(keys.refused),
      /** The catalog has indexes of 0.1.0, so those of this version lack records. */
      oldIndexes: oldIndexes.some(isThere),
    };
  };

  const look = async (): Promise<ReturnType<typeof stateOf>> => {
    // A refresh that is due within a few seconds is done now: the next look is a while away.
    const isRefresh = performance.now() - refreshedAt > REFRESH_MS - 5_000;
    // Plain, from wherever it is answered: what seems to be lost the script looks at again, which the primary runs.
    if (!isRefresh && Number(await redis.call('EXISTS', ...all)) === permanent.length)
      return stateOf(permanent, {});
    const refresh = isRefresh ? [workerId, Date.now() + VALID_MS] : [];
    const reply = await lookScript(
      redis,
      [...all, ...each, keys.workers],
      [all.length, permanent.length, delayed.length, ...refresh],
    );
    if (isRefresh) refreshedAt = performance.now();
    const [there, heads] = reply as [string[] | null, (string | null)[]];
    const heard: QueueName[] = there === null ? ['sync'] : [...mediaQueues, 'sync'];
    const due = heard.flatMap((queue, index) => {
      const score = heads[index] ?? null;
      return score === null ? [] : [[queue, Number(score) / SCORE_PER_MS] as const];
    });
    return stateOf(there ?? permanent, Object.fromEntries(due));
  };

  return {
    /** Throws QUEUE_UNAVAILABLE. */
    once: () => redisEdge('QUEUE_UNAVAILABLE')(look),
    /** Redis may have lost this worker: the next check registers it again. */
    forget: (): void => {
      refreshedAt = -Infinity;
    },
    /** Takes workers off the list that did not say that they leave. Throws QUEUE_UNAVAILABLE. */
    removeDead: (): Promise<unknown> =>
      redisEdge('QUEUE_UNAVAILABLE')(() => redis.zremrangebyscore(keys.workers, '-inf', Date.now())),
    /** Removes this worker from the list; it stops checking. */
    leave: async (): Promise<void> => {
      if (redis.status !== 'ready') return;
      const left = redis.zrem(keys.workers, workerId).catch(() => undefined);
      await withinMs(LEAVE_WITHIN_MS, left, undefined);
    },
  };
}

/** What one check of Redis shows. */
export type WatchedState = Awaited<ReturnType<ReturnType<typeof createLook>['once']>>;
