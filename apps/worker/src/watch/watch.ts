import { setMaxListeners } from 'node:events';
import { settleHost } from '@holdfast/shared/catalog-host';
import { createBackoff, service, withinMs } from '@holdfast/foundation/lifecycle';
import { queueNames, streamOptions, type QueueName } from '@holdfast/shared/jobs';
import { redisBackoff, redisEdge } from '@holdfast/shared/redis';
import type { QueueWorker } from '../create-worker.js';
import type { Dependencies } from '../dependencies.js';
import { createErrorLog } from '../error-log.js';
import { dailySnapshot } from '../snapshot/take-snapshot.js';
import { ensureSchedule, requestStartupSync } from '../sync/sync-requests.js';
import { sweep } from './sweeps.js';
import { createLook, type WatchedState } from './watched-state.js';

const STOP_WITHIN_MS = 2_000;
/**
 * Until the next look while uploads are under way, or media jobs at work or delayed. A job whose worker is gone is found by two
 * looks, the second after its lock has run out; the wake-up for a delayed job may have been lost; an upload that a kill cut off
 * is to be settled within a minute, of which its intent takes 30 s to become stale; a refused upload that is still on the host is to go before
 * Redis loses the note of it.
 */
const WHILE_BUSY_MS = 5_000;

/**
 * Looks every 20 s, on a Redis that bills commands every 30 s, for what nobody would notice otherwise: jobs of dead workers, lost
 * wake-ups, uploads cut off by a crash, an emptied Redis, a day without a snapshot. One command a look while there is
 * nothing (docs/decisions/0008-our-own-watch.md).
 */
export function createWatch(deps: Dependencies, workers: readonly QueueWorker[]) {
  const { background: redis, profile, log } = deps;
  const stopping = new AbortController();
  setMaxListeners(50, stopping.signal);
  const logError = createErrorLog(log, 'watch.error');
  const round = createWatchRound(deps, workers, stopping.signal, logError);
  // What could not be done is tried again soon: the other connections come back a moment after this one.
  const rests = redisBackoff(redis);
  let served = false;
  let looking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const look = (): void => {
    // Where Redis is away, `ready` will be the next occasion.
    if (!stopping.signal.aborted && redis.status === 'ready')
      looking ??= lookOnce().finally(() => (looking = undefined));
  };
  const lookOnce = async (): Promise<void> => {
    let nextMs: number;
    try {
      const { busy } = await round.once();
      served = true;
      rests.reset();
      nextMs = busy ? WHILE_BUSY_MS : profile.watchIntervalMs;
    } catch (error) {
      served = false;
      logError(error);
      nextMs = rests.nextMs();
    }
    clearTimeout(timer);
    if (!stopping.signal.aborted) timer = setTimeout(look, nextMs);
  };
  const onReady = (): void => {
    served = false;
    // Another server may have taken the place of the one before, or a restart may have lost what was not on disk.
    round.forget();
    look();
  };

  return {
    ...service('watch', {
      start: () => {
        redis.on('ready', onReady);
        for (const worker of workers) worker.onReconnect(look);
        look();
      },
      stop: async () => {
        stopping.abort();
        clearTimeout(timer);
        redis.off('ready', onReady);
        // What waits for a Redis that does not answer fails when its connection ends.
        const underWay = Promise.all([looking, round.ended()]);
        await withinMs(STOP_WITHIN_MS, underWay, undefined).catch(() => undefined);
        await round.leave();
      },
    }),
    /** True while Redis does what the watch waits for: the last look since the connection is there went to its end. */
    redisServes: (): boolean => served && redis.status === 'ready',
  };
}

/** A quarter of an hour, or somewhat more where looks are further apart. */
const RARELY = 45;

/** One look of the watch, and all that may come of it. `stopping` aborts with the stop. */
export function createWatchRound(
  deps: Dependencies,
  workers: readonly QueueWorker[],
  stopping: AbortSignal,
  onError: (error: Error) => void,
) {
  const { background: redis, keys, settings, syncRequests, log } = deps;
  const look = createLook(redis, keys, settings.sync.intervalMinutes > 0);
  const attendToJobs = createStalledJobs(deps, workers, onError);
  const { catalogHost, state: syncState } = deps.sync;
  const sweepDeps = { ...deps, redis, catalogHost, folder: settings.host.folder };
  let looks = 0;
  /** It reads all records, so a process of 0.1.0 that goes on writing does not start it at each look. One that failed is tried again soon. */
  let upgradesFrom = 0;
  let started = false;
  let serverRun: string | null = null;
  const work = {
    sweep: oneAtATime(() => sweep(sweepDeps, stopping), onError),
    snapshot: oneAtATime(() => dailySnapshot({ ...deps.sync, log }, stopping), onError),
    upgrade: oneAtATime(async () => {
      log.info('indexes.upgrading');
      log.info('indexes.upgraded', await deps.catalog.repairIndexes(stopping));
      upgradesFrom = looks + RARELY;
    }, onError),
  };

  /**
   * Requests a sync where another server serves, or the same one was restarted: without fsync on every write, or after a
   * failover, it may lack what the one before had acknowledged.
   */
  const noticeServerChange = async (): Promise<void> => {
    const now = deps.server.serverRun();
    if (serverRun !== null && now !== serverRun) {
      log.warn('watch.server_changed');
      await syncRequests.serverChanged();
    }
    serverRun = now;
  };

  return {
    /**
     * Looks, and sees to what it finds. Answers whether Redis is new, uploads are under way, or media jobs at work or delayed. Rejects where
     * Redis does not serve.
     */
    once: async (): Promise<{ busy: boolean }> => {
      const state = await look.once();
      // A sync may have begun an emptied catalog already.
      const isNew = state.emptied || state.scheduleGone;
      // Before anything is brought in: an empty catalog takes the configured host.
      if (!started || state.emptied) await settleHost({ ...deps, catalogHost, syncState });
      if (state.emptied) await requestRecovery(deps);
      if (!started || isNew) {
        await shortenEventStreams(deps);
        await ensureSchedule(deps);
      }
      if (!started) {
        await requestStartupSync(deps);
        await look.removeDead();
      } else if (isNew) look.forget();
      started = true;
      await noticeServerChange();
      // Not waited for: they ask the host, and must not hold up the next look.
      if (state.unfinished) work.sweep.begin();
      // Lists say `rebuilding` until then.
      if (state.oldIndexes && looks >= upgradesFrom) work.upgrade.begin();
      if (looks % RARELY === 0) {
        // An emptied catalog is refilled first.
        if (!state.emptied) work.snapshot.begin();
        void deps.delivery.again();
      }
      looks += 1;
      await attendToJobs(state);
      const isAtWork = state.delayed.length > 0 || state.active.some((queue) => queue !== 'sync');
      return { busy: isNew || state.uploading || isAtWork };
    },
    forget: look.forget,
    leave: look.leave,
    /** Resolves once all background work of a round has ended. */
    ended: () => Promise.all(Object.values(work).map(({ ended }) => ended())),
  };
}

/**
 * Redis was emptied, or is new: no error says so, only the missing key. It is set after the request, so that after a crash in between
 * another look requests again. Requests of several workers are merged. Throws QUEUE_UNAVAILABLE and
 * CATALOG_UNAVAILABLE.
 */
export async function requestRecovery(
  deps: Pick<Dependencies, 'catalog' | 'log'> & { syncRequests: { recovery(): Promise<void> } },
): Promise<void> {
  // A first start is no reason for a warning; a recovery that brings something back warns.
  deps.log.info('watch.catalog_empty');
  await deps.syncRequests.recovery();
  await deps.catalog.noteEpoch(Date.now());
}

/** Background work, one at a time. `begin` does nothing while it is running or backing off after a failure. */
function oneAtATime(work: () => Promise<void>, onError: (error: Error) => void) {
  const backoff = createBackoff();
  let underWay: Promise<void> | undefined;
  const failed = (error: Error): void => {
    void backoff.rest();
    onError(error);
  };
  return {
    begin: (): void => {
      if (backoff.isResting()) return;
      underWay ??= work()
        .then(() => backoff.reset(), failed)
        .finally(() => (underWay = undefined));
    },
    ended: async (): Promise<void> => underWay,
  };
}

/** Looks in a row at which jobs wait while this worker, nudged, does nothing. */
const PATIENCE = 3;
/** The same while jobs are active: those of a killed worker stay active until their locks expire and the stalled check moves them. */
const PATIENCE_IN_HAND = 10;

type QueueDependencies = Pick<Dependencies, 'background' | 'keys' | 'log'>;

/**
 * What BullMQ's own polling would notice (docs/decisions/0008-our-own-watch.md). The function moves jobs of dead workers back
 * to wait, wakes idle workers, and reconnects one of ours that does not wake up. Throws QUEUE_UNAVAILABLE.
 */
export function createStalledJobs(
  { background: redis, keys, log }: QueueDependencies,
  workers: readonly QueueWorker[],
  onError: (error: Error) => void,
) {
  /** How many jobs each had started at the last look, and at how many looks in a row it slept. */
  const watched = workers.map((worker) => ({ worker, started: -1, looks: 0 }));
  const recoverStalled = async (worker: QueueWorker): Promise<void> => {
    const { length: count } = await worker.recoverStalled();
    if (count > 0) log.warn('watch.stalled_jobs_recovered', { queue: worker.queue, count });
  };
  // BullMQ's wake-up for a job goes to one connection and is lost with it, and a worker of ours blocks for many minutes. A needless
  // one is harmless.
  const wake = (queue: QueueName): Promise<unknown> => redis.zadd(keys.queue(queue, 'marker'), 0, '0');

  return async ({ waiting, active, overdue }: Pick<WatchedState, 'waiting' | 'active' | 'overdue'>) => {
    // Not waited for: it goes over another connection, and must not hold up the next look.
    for (const worker of workers) if (active.includes(worker.queue)) recoverStalled(worker).catch(onError);
    await redisEdge('QUEUE_UNAVAILABLE')(() => Promise.all([...waiting, ...overdue].map(wake)));
    // A connection may be dead without a sign, and a worker behind it sleep on while jobs wait, or never get rid of a job it
    // has done. The watch sees them over another connection: then the worker reconnects. A paused queue, or another worker that gets
    // all the jobs, looks the same; that is harmless.
    for (const one of watched) {
      const { queue, isIdle, jobsStarted, reconnect } = one.worker;
      const waits = waiting.includes(queue);
      // A sync may run for hours elsewhere.
      const isInHand = queue !== 'sync' && active.includes(queue);
      const isStuck = (waits || isInHand) && isIdle() && one.started === jobsStarted();
      one.started = jobsStarted();
      one.looks = isStuck ? one.looks + 1 : 0;
      if (one.looks < (waits ? PATIENCE : PATIENCE_IN_HAND)) continue;
      one.looks = 0;
      log.warn('watch.worker_asleep', { queue });
      reconnect();
    }
  };
}

/**
 * Tells BullMQ how many events to keep of each queue: its own default costs megabytes. It says so itself when a queue is opened, but
 * our connections are not there yet then, and Redis may be emptied later. Throws QUEUE_UNAVAILABLE.
 */
export async function shortenEventStreams({ background: redis, keys }: QueueDependencies): Promise<void> {
  const { maxLen } = streamOptions.streams.events;
  const shorten = (queue: QueueName): Promise<unknown> =>
    redis.hset(keys.queue(queue, 'meta'), 'opts.maxLenEvents', maxLen);
  await redisEdge('QUEUE_UNAVAILABLE')(() => Promise.all(queueNames.map(shorten)));
}
