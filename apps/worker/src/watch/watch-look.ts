import type { QueueName } from '@holdfast/shared/jobs';
import type { QueueWorker } from '../create-worker.js';
import type { Dependencies } from '../dependencies.js';
import { createSchedules } from '../schedules.js';
import { dailySnapshot } from '../snapshot/take-snapshot.js';
import { createChangedHost } from './changed-host.js';
import { createClockSetBack } from './clock-set-back.js';
import { greetEmptiedCatalog } from './emptied-catalog.js';
import { hastenPutOff } from './hasten-put-off.js';
import { createIdleCheck } from './idle-check.js';
import { isScheduleLost } from './lost-schedule.js';
import { nudgeQueues, overdueQueues } from './nudge-queues.js';
import { oneAtATime } from './one-at-a-time.js';
import { createServerChanges } from './server-changes.js';
import { shortenEventStreams } from './shorten-event-streams.js';
import { sweepDeleting } from './sweep-deleting.js';
import { sweepIntents } from './sweep-intents.js';
import { sweepRefused } from './sweep-refused.js';
import { sweepUnpushed } from './sweep-unpushed.js';
import { sweep } from './sweep.js';
import { createWatchedKeys, type Sight } from './watched-keys.js';
import { createWorkerPresence } from './worker-presence.js';

/** A quarter of an hour, or somewhat more where looks are further apart. */
const SNAPSHOT_LOOK_EVERY = 45;
const DELIVERY_LOOK_EVERY = 45;

export interface WatchLook {
  /** Looks, and sees to what it finds. Answers whether uploads are under way, or media jobs at work or delayed. Rejects where Redis does not serve. */
  once(): Promise<{ busy: boolean }>;
  /** Another server may have taken the place of the one before, or a restart may have lost what was not on disk. */
  reconnected(): void;
  /** Resolves once what a look began, and did not wait for, has ended. */
  ended(): Promise<void>;
  /** This worker looks no more. */
  leave(): Promise<void>;
}

export interface WatchLookOptions {
  deps: Dependencies;
  workers: readonly QueueWorker[];
  /** Aborts with the stop. */
  stopping: AbortSignal;
  onError: (error: Error) => void;
}

/** One look of the watch, and all that may come of it. */
export function createWatchLook({ deps, workers, stopping, onError }: WatchLookOptions): WatchLook {
  const { background: redis, keys, settings, queues, syncRequests, log } = deps;
  const { folder } = settings.host;
  const schedules = createSchedules({ queues, sync: settings.sync, jobs: settings.jobs, log });
  const presence = createWorkerPresence(redis, keys);
  const look = createWatchedKeys(redis, keys, schedules.wanted);
  const idleCheck = createIdleCheck(workers, log);
  const noticeServerChange = createServerChanges(deps.server, syncRequests, log);
  const host = createChangedHost({
    catalogHost: deps.sync.catalogHost,
    catalog: deps.catalog,
    syncState: deps.sync.state,
    dataDir: settings.dataDir,
    identity: deps.host.identity,
    log,
  });
  const sweeps = {
    intents: (signal: AbortSignal) => sweepIntents({ ...deps, folder }, signal),
    // What is not here may be on the host that was configured when it was refused.
    refused: async (signal: AbortSignal) => {
      if (!host.isChanged()) await sweepRefused({ ...deps, folder }, signal);
    },
    unpushed: () => sweepUnpushed(deps),
    deleting: () => sweepDeleting(deps),
  };
  const sweeping = oneAtATime(() => sweep(redis, keys, sweeps, stopping, log), onError);
  const snapshotting = oneAtATime(() => dailySnapshot({ ...deps.sync, log }, stopping), onError);
  const isClockSetBack = createClockSetBack();
  let looks = 0;
  let started = false;
  /** What waits was reckoned by a clock that may have been ahead: ours, or that of whoever was here before. */
  let reckonAgain = true;

  const logRecovered = (queue: QueueName, ids: readonly string[]): void => {
    if (ids.length > 0) log.warn('watch.stalled_jobs_recovered', { queue, count: ids.length });
  };

  /** Says in the same step that this worker is alive: what follows a look may fail while other connections are not there yet. */
  const seen = async (): Promise<Sight> => {
    const refresh = presence.due();
    const sight = await look(refresh);
    if (refresh !== null) presence.refreshed();
    if (!sight.forgotten || refresh !== null) return sight;
    presence.forget();
    return { ...(await seen()), forgotten: true };
  };

  return {
    once: async () => {
      const sight = await seen();
      // Before anything is brought in: an empty catalog takes the configured host.
      const isWiped = sight.emptied || sight.forgotten;
      await host.look(isWiped);
      if (sight.emptied) await greetEmptiedCatalog(redis, keys, syncRequests, log);
      if (!started || isWiped) await shortenEventStreams(redis, keys);
      reckonAgain = isClockSetBack() || reckonAgain;
      if (reckonAgain || sight.scheduleGone) await schedules.ensure();
      if (!started) await schedules.requestStartup();
      started = true;
      if (reckonAgain) await hastenPutOff({ redis, keys, queues, log });
      reckonAgain = false;
      await noticeServerChange();
      // Not waited for: they go over other connections, or ask the host, and must not hold up the next look.
      for (const worker of workers.filter(({ queue }) => sight.active.includes(queue)))
        worker.recoverStalled().then((ids) => logRecovered(worker.queue, ids), onError);
      if (sight.unfinished) sweeping.begin();
      // An emptied catalog is refilled first.
      if (looks % SNAPSHOT_LOOK_EVERY === 0 && !sight.emptied) snapshotting.begin();
      if (looks % DELIVERY_LOOK_EVERY === 0) void deps.delivery.again();
      looks += 1;
      // While any sync is still to come, no further question is needed.
      if (sight.delayed.sync === null && schedules.wanted && (await isScheduleLost(redis, keys, queues))) {
        log.warn('watch.schedule_lost');
        await schedules.ensure();
      }
      await nudgeQueues(redis, keys, [...new Set([...sight.waiting, ...overdueQueues(sight.delayed)])]);
      idleCheck(sight);
      return {
        busy:
          sight.uploading ||
          [...sight.active, ...Object.keys(sight.delayed)].some((queue) => queue !== 'sync'),
      };
    },
    reconnected: () => presence.forget(),
    ended: async () => {
      await Promise.all([sweeping.ended(), snapshotting.ended()]);
    },
    leave: () => presence.leave(),
  };
}
