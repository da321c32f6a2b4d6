import type { Settings } from '@holdfast/foundation/config';
import { queueNames, type QueueName } from '@holdfast/shared/jobs';
import { service, stack, type Service } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { createWorker } from './create-worker.js';
import { openDependencies, type Dependencies } from './dependencies.js';
import { createHealthServer } from './health-server.js';
import { createPushMedia, createRemoveMedia, keepBudget } from './push-and-remove.js';
import { createRefreshAssets } from './refresh/refresh-assets.js';
import { createJobMetrics, createJobRunner, type JobHandlers } from './run-job.js';
import { createSaveMedia, createVerifyMedia } from './save-and-verify.js';
import { createSyncHandler } from './sync/run-sync.js';
import { createWatch } from './watch/watch.js';

/** Verifications mostly wait for the disk, together: under fsync every second one barrier takes up to a second. */
const VERIFY_FACTOR = 4;
const SLOW_VERIFY_FACTOR = 16;
/** Jobs still running at this share of the shutdown's time are cancelled, so that they can be handed back. */
const CANCEL_AT = 0.6;

/** The worker, ready to start: its connections, a BullMQ worker for each queue, the watch, and its health server. */
export async function createWorkerProcess(settings: Settings, log: Logger): Promise<Service> {
  const { concurrency } = settings.jobs;
  const { port } = settings.worker;
  const deps = await openDependencies(settings, log);
  const jobs = createJobRunner({
    handlers: createHandlers(deps),
    catalog: deps.catalog,
    metrics: createJobMetrics(deps.registry),
    log,
  });
  const concurrencies: Record<QueueName, number> = {
    save: concurrency,
    verify: concurrency * (deps.syncsEachWrite ? VERIFY_FACTOR : SLOW_VERIFY_FACTOR),
    sync: 1,
  };
  const workers = queueNames.map((queue) =>
    createWorker({
      queue,
      connection: deps.queueClient,
      prefix: deps.keys.prefix,
      concurrency: concurrencies[queue],
      cancelAfterMs: settings.shutdownTimeoutMs * CANCEL_AT,
      jobs,
      log,
    }),
  );
  const watch = createWatch(deps, workers);
  const isReady = (): boolean =>
    deps.connections.every(({ status }) => status === 'ready') &&
    watch.redisServes() &&
    workers.every((worker) => worker.isRunning());

  return stack(
    [
      service('connections', { start: () => undefined, stop: () => deps.close() }),
      workers,
      watch,
      port === undefined
        ? []
        : createHealthServer({ host: settings.http.host, port }, isReady, () => deps.registry.metrics(), log),
    ],
    log,
  );
}

/** Which handler runs which job: the map of the worker. A job without one does not compile. */
export function createHandlers(deps: Dependencies): JobHandlers {
  return {
    save: createSaveMedia(deps),
    verify: createVerifyMedia({
      ...deps,
      afterUpload: (record) => {
        deps.syncRequests.afterUpload();
        deps.delivery.verified(record);
      },
    }),
    push: createPushMedia(deps),
    remove: keepBudget(deps.sync, createRemoveMedia(deps)),
    refresh: createRefreshAssets(deps.sync),
    sync: createSyncHandler(deps.sync),
  };
}
