import { setMaxListeners } from 'node:events';
import { createBackoff, service, withinMs, type Service } from '@holdfast/foundation/lifecycle';
import { redisBackoff } from '@holdfast/shared/redis';
import type { QueueWorker } from '../create-worker.js';
import type { Dependencies } from '../dependencies.js';
import { createErrorLog } from '../queue-worker/error-log.js';
import { createSchedules } from '../schedules.js';
import { dailySnapshot } from '../snapshot/take-snapshot.js';
import { createHostChanges, createServerChanges, requestRecovery } from './recovery.js';
import { createStalledJobs, shortenEventStreams } from './stalled-jobs.js';
import { sweep } from './sweeps.js';
import { createLook } from './watched-state.js';

const STOP_WITHIN_MS = 2_000;
/**
 * Until the next look while uploads are under way, or media jobs at work or delayed. A job whose worker is gone is found by two
 * looks, the second after its lock has run out; the wake-up for a delayed job may have been lost; an upload that a kill cut off
 * is to be settled within a minute, of which its intent takes 30 s to become stale.
 */
const WHILE_BUSY_MS = 5_000;

export interface Watch extends Service {
  /** True while Redis does what the watch waits for: the last look since the connection is there went to its end. */
  redisServes(): boolean;
}

/**
 * Looks every 20 s, on a Redis that bills commands every 30 s, for what nobody would notice otherwise: jobs of dead workers, lost
 * wake-ups, uploads cut off by a crash, an emptied Redis, a day without a snapshot. One command a look while there is
 * nothing (docs/decisions/0008-our-own-watch.md).
 */
export function createWatch(deps: Dependencies, workers: readonly QueueWorker[]): Watch {
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

  const lookIn = (ms: number): void => {
    clearTimeout(timer);
    if (!stopping.signal.aborted) timer = setTimeout(look, ms);
  };
  const look = (): void => {
    if (stopping.signal.aborted) return;
    // Otherwise `ready` will be the next occasion.
    if (redis.status === 'ready') looking ??= lookOnce().finally(() => (looking = undefined));
  };
  const lookOnce = async (): Promise<void> => {
    try {
      const { busy } = await round.once();
      served = true;
      rests.reset();
      lookIn(busy ? WHILE_BUSY_MS : profile.watchIntervalMs);
    } catch (error) {
      served = false;
      logError(error);
      lookIn(rests.nextMs());
    }
  };
  const onReady = (): void => {
    served = false;
    round.reconnected();
    look();
  };

  const lifecycle = service('watch', {
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
  });
  return { ...lifecycle, redisServes: () => served && redis.status === 'ready' };
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
  const { background: redis, keys, settings, queues, syncRequests, log } = deps;
  const schedules = createSchedules({ queues, sync: settings.sync, jobs: settings.jobs, log });
  const look = createLook(redis, keys, schedules.wanted);
  const host = createHostChanges({
    catalogHost: deps.sync.catalogHost,
    catalog: deps.catalog,
    syncState: deps.sync.state,
    dataDir: settings.dataDir,
    identity: deps.host.identity,
    log,
  });
  const noticeServerChange = createServerChanges(deps.server, syncRequests, log);
  const attendToJobs = createStalledJobs({ redis, keys, log }, workers, onError);
  const sweepDeps = { ...deps, redis, folder: settings.host.folder, isHostChanged: () => host.isChanged() };
  let looks = 0;
  let upgradeFrom = 0;
  let started = false;
  const work = {
    sweep: oneAtATime(() => sweep(sweepDeps, stopping), onError),
    snapshot: oneAtATime(() => dailySnapshot({ ...deps.sync, log }, stopping), onError),
    upgrade: oneAtATime(async () => {
      log.info('indexes.upgrading');
      log.info('indexes.upgraded', { entries: await deps.catalog.repairIndexes(stopping) });
      upgradeFrom = looks + RARELY;
    }, onError),
  };

  return {
    /**
     * Looks, and sees to what it finds. Answers whether uploads are under way, or media jobs at work or delayed. Rejects where
     * Redis does not serve.
     */
    once: async (): Promise<{ busy: boolean }> => {
      const state = await look.once();
      const isWiped = state.emptied || state.forgotten;
      // Before anything is brought in: an empty catalog takes the configured host.
      await host.look(isWiped);
      if (state.emptied) await requestRecovery(redis, keys, syncRequests, log);
      if (!started || isWiped) await shortenEventStreams(redis, keys);
      if (!started || state.scheduleGone) await schedules.ensure();
      if (!started) await schedules.requestStartup();
      started = true;
      await noticeServerChange();
      // Not waited for: they ask the host, and must not hold up the next look.
      if (state.unfinished) work.sweep.begin();
      // Lists say `rebuilding` until then. Not each time: a process of 0.1.0 that runs beside this one writes its indexes again.
      if (state.oldIndexes && looks >= upgradeFrom) work.upgrade.begin();
      if (looks % RARELY === 0) {
        // An emptied catalog is refilled first.
        if (!state.emptied) work.snapshot.begin();
        void deps.delivery.again();
      }
      looks += 1;
      await attendToJobs(state);
      const atWork = [...state.active, ...Object.keys(state.delayed)];
      return { busy: state.uploading || atWork.some((queue) => queue !== 'sync') };
    },
    /** Another server may have taken the place of the one before, or a restart may have lost what was not on disk. */
    reconnected: () => look.forget(),
    /** Resolves once what a round began, and did not wait for, has ended. */
    ended: () => Promise.all(Object.values(work).map(({ ended }) => ended())),
    /** This worker looks no more. */
    leave: () => look.leave(),
  };
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
