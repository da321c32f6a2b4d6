import { setMaxListeners } from 'node:events';
import { service, withinMs, type Service } from '@holdfast/shared/lifecycle';
import { redisBackoff } from '@holdfast/shared/redis';
import type { QueueWorker } from '../create-worker.js';
import type { Dependencies } from '../dependencies.js';
import { createErrorLog } from '../queue-worker/error-log.js';
import { createWatchLook } from './watch-look.js';

const STOP_WITHIN_MS = 2_000;
/**
 * Until the next look while uploads are under way, or media jobs at work or delayed. A job whose worker is gone is found by two
 * looks, the second after its lock has run out; the wake-up for a delayed job may have been lost; an upload that a kill cut off
 * is to be settled within a minute, of which its intent takes 30 s to become stale.
 */
const WHILE_BUSY_MS = 5_000;

export interface WorkerWatch extends Service {
  /** True while Redis does what the watch waits for: the last look since the connection is there went to its end. */
  redisServes(): boolean;
}

/**
 * Looks every 20 s, on a Redis that bills commands every 30 s, for what nobody would notice otherwise: jobs of dead workers, lost wake-ups, uploads cut off by a
 * crash, an emptied Redis, a day without a snapshot. One command a look while there is nothing (docs/decisions/0008-our-own-watch.md).
 */
export function createWorkerWatch(deps: Dependencies, workers: readonly QueueWorker[]): WorkerWatch {
  const { background: redis, profile, log } = deps;
  const stopping = new AbortController();
  setMaxListeners(50, stopping.signal);
  const logError = createErrorLog(log, 'watch.error');
  const look = createWatchLook({ deps, workers, stopping: stopping.signal, onError: logError });
  // What could not be done is tried again soon: the other connections come back a moment after this one.
  const rests = redisBackoff(redis);
  let served = false;
  let looking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let again: NodeJS.Timeout | undefined;

  const lookOnce = async (): Promise<void> => {
    try {
      const { busy } = await look.once();
      served = true;
      rests.reset();
      if (busy) tickIn(WHILE_BUSY_MS);
    } catch (error) {
      served = false;
      logError(error);
      tickIn(rests.nextMs());
    }
  };
  const tickIn = (ms: number): void => {
    clearTimeout(again);
    if (!stopping.signal.aborted) again = setTimeout(tick, ms);
  };
  const tick = (): void => {
    if (stopping.signal.aborted || redis.status !== 'ready') return;
    looking ??= lookOnce().finally(() => {
      looking = undefined;
    });
  };
  const onReady = (): void => {
    served = false;
    look.reconnected();
    tick();
  };

  const lifecycle = service('watch', {
    start: () => {
      redis.on('ready', onReady);
      for (const worker of workers) worker.onReconnect(tick);
      tick();
      const repeat = (): void => {
        tick();
        timer = setTimeout(repeat, profile.watchIntervalMs);
      };
      // From a random phase, so that the processes of a fleet look one after another.
      timer = setTimeout(repeat, Math.random() * profile.watchIntervalMs);
    },
    stop: async () => {
      stopping.abort();
      clearTimeout(timer);
      clearTimeout(again);
      redis.off('ready', onReady);
      // What waits for a Redis that does not answer fails when its connection ends.
      const underWay = Promise.all([looking, look.ended()]);
      await withinMs(STOP_WITHIN_MS, underWay, undefined).catch(() => undefined);
      await look.leave();
    },
  });
  return { ...lifecycle, redisServes: () => served && redis.status === 'ready' };
}
