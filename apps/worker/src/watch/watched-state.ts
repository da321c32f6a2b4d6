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

/** How often a worker registers, in the same step as a check. */
const REFRESH_MS = 60_000;
/** How long that counts: one refresh may be missed. */
const VALID_MS = 150_000;
/** A worker that cannot unregister expires. */
const LEAVE_WITHIN_MS = 1_000;
/** BullMQ keeps the time of a delayed job in the upper bits of its score, a running number in the lower 12. */
const SCORE_PER_MS = 0x1000;
/** Shorter than this the worker's own timer may still be on its way. */
const OVERDUE_MS = 1_000;

/**
 * KEYS: those that must be there; those that are there only while something is under way, the delayed jobs of save and verify last;
 * the delayed syncs; the workers. ARGV: how many must be there; of a refresh also own id and ms until it counts. Answers which keys are
 * there, and the score of the first delayed job of save, verify and sync. One EXISTS shows a quiet deployment, as in `createLook`; else
 * each key is looked at.
 */
const lookScript = defineScript(`
local call, permanent, last = redis.call, tonumber(ARGV[1]), #KEYS - 1
local asked = { unpack(KEYS, permanent + 1, last - 1) }
for i = 1, permanent * #KEYS do asked[#asked + 1] = KEYS[i % permanent + 1] end
local isQuiet = call('EXISTS', unpack(asked)) == permanent * #KEYS
local there, heads = {}, {}
for i = 1, last - 1 do
  if isQuiet and i <= permanent or not isQuiet and call('EXISTS', KEYS[i]) == 1 then there[#there + 1] = KEYS[i] end
end
for i = last - 2, last do
  heads[#heads + 1] = (not isQuiet or i == last) and call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2] or false
end
if ARGV[2] then call('ZADD', KEYS[#KEYS], ARGV[3], ARGV[2]) end
return { there, heads }
`);

/**
 * Looks at everything that the watch must notice. Redis has no empty lists and sets, so in a quiet deployment only the epoch and the
 * schedule exist. One EXISTS asks for each of these more often than for all other keys together, so that its count is that of a quiet
 * deployment only there: then it is the whole look. At any other count, and once a minute, when it registers this worker, a script tells
 * the keys apart.
 */
export function createLook(redis: RedisClient, keys: RedisKeys, scheduleWanted: boolean) {
  const workerId = randomUUID();
  let refreshedAt = -Infinity;

  const schedule = keys.queue('sync', 'repeat');
  const permanent = scheduleWanted ? [keys.epoch, schedule] : [keys.epoch];
  const unfinished = [keys.intents, keys.refused, keys.unpushed, keys.byStatus(statusCode.deleting)];
  const oldIndexes = signsOfOldIndexes(keys);
  const parts = (...names: QueuePart[]): string[] =>
    names.flatMap((part) => queueNames.map((queue) => keys.queue(queue, part)));
  const delayed = parts('delayed');
  // Without the delayed syncs, which are there whenever there is a schedule.
  const occasional = [
    ...parts('active', 'wait', 'prioritized'),
    ...unfinished,
    ...oldIndexes,
    ...delayed.slice(0, -1),
  ];
  const weight = occasional.length + 1;
  const weighted = permanent.flatMap((key) => Array<string>(weight).fill(key));

  /** What it means that of all these keys just those are there, and that these are the scores of the first delayed jobs. */
  const stateOf = (there: readonly string[], heads: readonly (string | null)[] = []) => {
    const isThere = (key: string): boolean => there.includes(key);
    const queuesWith = (...names: QueuePart[]): QueueName[] =>
      queueNames.filter((queue) => names.some((part) => isThere(keys.queue(queue, part))));
    const overdueScore = (Date.now() - OVERDUE_MS) * SCORE_PER_MS;
    return {
      /** The catalog has been emptied. */
      emptied: !isThere(keys.epoch),
      /** The recurring sync is gone although it should be there. */
      scheduleGone: scheduleWanted && !isThere(schedule),
      active: queuesWith('active'),
      waiting: queuesWith('wait', 'prioritized'),
      /** Media jobs: of syncs there always is a delayed one. */
      delayed: queuesWith('delayed'),
      /** The first delayed job should have started by now. That of syncs is read once a minute. */
      overdue: queueNames.filter((_, at) => Number(heads[at] ?? Infinity) < overdueScore),
      /** Something for the sweeps: intents, edits to push, deletions to finish. */
      unfinished: unfinished.some(isThere),
      /** Intents among them: of uploads under way, or to be settled within a minute. */
      uploading: isThere(keys.intents),
      /** The catalog has indexes of 0.1.0, so those of this version lack records. */
      oldIndexes: oldIndexes.some(isThere),
    };
  };

  const look = async (): Promise<ReturnType<typeof stateOf>> => {
    // A refresh that is due within a few seconds is done now: the next look is a while away.
    const isRefresh = performance.now() - refreshedAt > REFRESH_MS - 5_000;
    // Plain, from wherever it is answered: what seems to be lost the script looks at again, which the primary runs.
    if (!isRefresh && Number(await redis.call('EXISTS', ...weighted, ...occasional)) === weighted.length)
      return stateOf(permanent);
    const each = [...permanent, ...occasional, ...delayed.slice(-1), keys.workers];
    const args = isRefresh ? [workerId, Date.now() + VALID_MS] : [];
    const reply = await lookScript(redis, each, [permanent.length, ...args]);
    if (isRefresh) refreshedAt = performance.now();
    const [there, heads] = reply as [string[], (string | null)[]];
    return stateOf(there, heads);
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
