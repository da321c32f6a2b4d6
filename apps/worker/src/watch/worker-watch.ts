import { setMaxListeners } from 'node:events';
import { workerTimings, type QueueName } from '@holdfast/shared/jobs';
import { service, withinMs, type Service } from '@holdfast/shared/lifecycle';
import type { QueueWorker } from '../create-worker.js';
import type { Dependencies } from '../dependencies.js';
import { createErrorLog } from '../error-log.js';
import { createSchedules } from '../schedules.js';
import { dailySnapshot } from '../snapshot/daily-snapshot.js';
import { createWorkerPresence } from '../worker-presence.js';
import { greetEmptiedCatalog } from './emptied-catalog.js';
import { createIdleCheck } from './idle-check.js';
import { nudgeQueues, overdueQueues } from './nudge-queues.js';
import { shortenEventStreams } from './shorten-event-streams.js';
import { sweep } from './sweep.js';
import { sweepDeleting } from './sweep-deleting.js';
import { sweepIntents } from './sweep-intents.js';
import { sweepRefused } from './sweep-refused.js';
import { sweepUnpushed } from './sweep-unpushed.js';
import { createWatchedKeys } from './watched-keys.js';

/** The sync queue always has a delayed job (the next run), so its time is looked at on every third tick only. */
const SYNC_LOOK_EVERY = 3;
const STOP_WITHIN_MS = 2_000;
/** What could not be done is tried again soon: the other connections come back a moment after this one. */
const AGAIN_MS = 1_000;
/**
 * Until the next look while media jobs are at work or delayed. A job whose worker is gone is found by two looks, the second
 * after its lock has run out; the wake-up for a delayed job may have been lost.
 */
const WHILE_BUSY_MS = 5_000;
/** A quarter of an hour. */
const SNAPSHOT_LOOK_EVERY = 45;

export interface WorkerWatch extends Service {
  /** True while Redis does what the watch waits for: the last look since the connection is there went to its end. */
  redisServes(): boolean;
}

/**
 * Looks every 20 s for what nobody would notice otherwise: jobs of dead workers, lost wake-ups, uploads cut off by a
 * crash, an emptied Redis, a day without a snapshot. One command a tick while there is nothing (docs/decisions/0008-our-own-watch.md).
 */
export function createWorkerWatch(deps: Dependencies, workers: readonly QueueWorker[]): WorkerWatch {
  const { watchClient: redis, keys, settings, queues, syncRequests, log } = deps;
  const schedules = createSchedules({ queues, sync: settings.sync, jobs: settings.jobs, log });
  const presence = createWorkerPresence(redis, keys);
  const look = createWatchedKeys(redis, keys, schedules.wanted);
  const logError = createErrorLog(log, 'watch.error');
  const idleCheck = createIdleCheck(workers, log);
  const stopping = new AbortController();
  setMaxListeners(50, stopping.signal);
  const folder = settings.host.folder;
  const snapshotParts = { ...deps.sync, log };
  const steps = {
    intents: (signal: AbortSignal) => sweepIntents({ ...deps, folder }, signal),
    refused: (signal: AbortSignal) => sweepRefused({ ...deps, folder }, signal),
    unpushed: () => sweepUnpushed({ ...deps, redis }),
    deleting: () => sweepDeleting({ ...deps, redis }),
  };
  let ticks = 0;
  let lastServerRun: string | null = null;
  let started = false;
  let served = false;
  let ticking: Promise<void> | undefined;
  let sweeping: Promise<void> | undefined;
  let snapshotting: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let again: NodeJS.Timeout | undefined;

  const tickOnce = async (): Promise<void> => {
    const sight = await look();
    if (sight.emptied) presence.forget();
    // First: what follows may fail while other connections are not there yet, and this worker is alive all the same.
    await presence.refresh();
    if (sight.emptied) await greetEmptiedCatalog(redis, keys, syncRequests, log);
    if (!started || sight.emptied) await shortenEventStreams(redis, keys);
    if (!started || sight.scheduleGone) await schedules.ensure();
    if (!started) await schedules.requestStartup();
    started = true;
    await noticeServerChange();
    // Not waited for: they go over other connections, or ask the host, and must not hold up the next look.
    for (const worker of workers.filter(({ queue }) => sight.active.includes(queue)))
      worker.recoverStalled().then((ids) => logRecovered(worker.queue, ids), logError);
    if (sight.unfinished)
      sweeping ??= sweep(redis, keys, steps, stopping.signal, log)
        .catch(logError)
        .finally(() => {
          sweeping = undefined;
        });
    // An emptied catalog is refilled first.
    if (ticks % SNAPSHOT_LOOK_EVERY === 0 && !sight.emptied)
      snapshotting ??= dailySnapshot(snapshotParts, stopping.signal)
        .catch(logError)
        .finally(() => {
          snapshotting = undefined;
        });
    const syncLook: QueueName[] = ticks % SYNC_LOOK_EVERY === 0 ? ['sync'] : [];
    ticks += 1;
    const overdue = await overdueQueues(redis, keys, [...sight.delayed, ...syncLook]);
    await nudgeQueues(redis, keys, [...new Set([...sight.waiting, ...overdue])]);
    idleCheck(sight);
    served = true;
    if ([...sight.active, ...sight.delayed].some((queue) => queue !== 'sync')) lookAgainIn(WHILE_BUSY_MS);
  };
  const lookAgainIn = (ms: number): void => {
    clearTimeout(again);
    if (!stopping.signal.aborted) again = setTimeout(tick, ms);
  };
  // Without fsync on every write, or after a failover, a server may lack what the one before had acknowledged.
  const noticeServerChange = async (): Promise<void> => {
    const now = deps.server.serverRun();
    if (now === lastServerRun) return;
    if (lastServerRun !== null) {
      log.warn('watch.server_changed');
      await syncRequests.serverChanged();
    }
    lastServerRun = now;
  };
  const logRecovered = (queue: QueueName, ids: readonly string[]): void => {
    if (ids.length > 0) log.warn('watch.stalled_jobs_recovered', { queue, count: ids.length });
  };
  const tick = (): void => {
    if (stopping.signal.aborted || redis.status !== 'ready') return;
    ticking ??= tickOnce()
      .catch((error: Error) => {
        served = false;
        logError(error);
        lookAgainIn(AGAIN_MS);
      })
      .finally(() => {
        ticking = undefined;
      });
  };
  // Another server may have taken the place of the one before, or a restart may have lost what was not on disk.
  const onReady = (): void => {
    served = false;
    presence.forget();
    tick();
  };

  const lifecycle = service('watch', {
    start: () => {
      redis.on('ready', onReady);
      for (const worker of workers) worker.onReconnect(tick);
      tick();
      const repeat = (): void => {
        tick();
        timer = setTimeout(repeat, workerTimings.watchIntervalMs);
      };
      // From a random phase, so that the processes of a fleet look one after another.
      timer = setTimeout(repeat, Math.random() * workerTimings.watchIntervalMs);
    },
    stop: async () => {
      stopping.abort();
      clearTimeout(timer);
      clearTimeout(again);
      redis.off('ready', onReady);
      // What waits for a Redis that does not answer fails when its connection ends.
      const underWay = Promise.all([ticking, sweeping, snapshotting]);
      await withinMs(STOP_WITHIN_MS, underWay, undefined).catch(() => undefined);
      await presence.leave();
    },
  });
  return { ...lifecycle, redisServes: () => served && redis.status === 'ready' };
}
