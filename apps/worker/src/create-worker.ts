import type { Job } from 'bullmq';
import { service, type Service } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { workerTimings, type QueueName } from '@holdfast/shared/jobs';
import { profileOfClient, reconnectRedis, redisBackoff, type RedisClient } from '@holdfast/shared/redis';
import { createErrorLog } from './queue-worker/error-log.js';
import { closeWorker, PatientWorker } from './queue-worker/patient-worker.js';
import type { JobRunner } from './job-run/run-job.js';
import { LOCK_LOST, settleJob } from './job-run/settle-job.js';

export interface WorkerOptions {
  queue: QueueName;
  /** A connection of the role `queue`; the worker adds a blocking one of its own. */
  connection: RedisClient;
  /** The hash tag before all keys. */
  prefix: string;
  concurrency: number;
  /** Jobs are cancelled this long after the stop began; those of a sync at once, since it resumes at its page. */
  cancelAfterMs: number;
  jobs: JobRunner;
  log: Logger;
}

export interface QueueWorker extends Service {
  queue: QueueName;
  isRunning(): boolean;
  /** Moves jobs of dead workers back to wait; true names their ids. Takes two looks 14 s apart, as BullMQ does. */
  recoverStalled(): Promise<string[]>;
  /** How many jobs have been started here. */
  jobsStarted(): number;
  isIdle(): boolean;
  /** Replaces the connections; commands in flight are sent again. */
  reconnect(): void;
  /** Called whenever the blocking connection is there again: a wake-up may have been lost with the old one. */
  onReconnect(listener: () => void): void;
}

/** A lone job that takes longer no longer keeps the worker from looking for others. */
const LONE_JOB_MS = 250;

/**
 * The BullMQ worker of one queue.
 *
 * Where commands are billed, an idle worker has a concurrency of 1, so that it does not look for a second job when it takes one: BullMQ
 * fetches the next one with the end of the first. If there is one, or if the first takes long, the worker goes to its full concurrency
 * until it is idle.
 */
export function createWorker(options: WorkerOptions): QueueWorker {
  const { queue, connection, cancelAfterMs, jobs } = options;
  const log = options.log.child({ queue });
  const rests = redisBackoff(connection);
  const { takesOneJob } = profileOfClient(connection);
  const full = options.concurrency;
  let started = 0;
  let running = 0;
  /** No job has been taken since the queue was found empty. */
  let wasEmpty = true;
  let lone: NodeJS.Timeout | undefined;

  // Three parameters, spelled out: BullMQ counts them to decide whether to pass the signal.
  const work = async (
    job: Job,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    const aborted = signal ?? new AbortController().signal;
    started += 1;
    running += 1;
    if (takesOneJob && wasEmpty && running === 1) lone = setTimeout(lookForMore, LONE_JOB_MS);
    else worker.concurrency = full;
    wasEmpty = false;
    try {
      await settleJob(await jobs.run(job, aborted), job, { token: token ?? '', signal: aborted, rests });
    } finally {
      running -= 1;
      if (running === 0) clearTimeout(lone);
      narrowIfIdle();
    }
  };
  const narrowIfIdle = (): void => {
    // Not between two jobs: with more in its hands than its concurrency, BullMQ fetches none with the end of a job.
    if (takesOneJob && running === 0 && wasEmpty) worker.concurrency = 1;
  };
  const lookForMore = (): void => {
    worker.concurrency = full;
    // Wakes BullMQ's loop, which waits for the job.
    void worker.pause(true);
    void worker.resume();
  };
  const worker = new PatientWorker(
    queue,
    work,
    {
      connection,
      prefix: options.prefix,
      ...(takesOneJob ? {} : { concurrency: full }),
      autorun: false,
      drainDelay: workerTimings.blockSeconds,
      lockDuration: workerTimings.lockDurationMs,
      stalledInterval: workerTimings.stalledIntervalMs,
      maxStalledCount: workerTimings.maxStalledCount,
      // The watch does that, at less cost (docs/decisions/0008-our-own-watch.md).
      skipStalledCheck: true,
      runRetryDelay: 1_000,
    },
    { rests, onRest: createErrorLog(log, 'worker.resting') },
  );
  const logError = createErrorLog(log, 'worker.error');
  worker.on('error', logError);
  worker.on('drained', () => {
    wasEmpty = true;
    narrowIfIdle();
  });
  worker.on('lockRenewalFailed', (ids) => {
    log.warn('worker.locks_lost', { count: ids.length });
    for (const id of ids) worker.cancelJob(id, LOCK_LOST);
  });
  worker.on('failed', (job, error) => {
    // BullMQ fails a job that has killed too many workers without running it.
    if (job?.deferredFailure !== undefined) void jobs.noteLost(job, error);
  });

  const lifecycle = service(`worker ${queue}`, {
    start: () => {
      worker.run().catch(logError);
    },
    stop: (deadline) =>
      closeWorker(worker, {
        connection,
        cancelAfterMs: queue === 'sync' ? 0 : cancelAfterMs,
        deadline,
      }),
  });
  return {
    ...lifecycle,
    queue,
    isRunning: () => worker.isRunning() && !worker.isPaused() && !rests.isResting(),
    jobsStarted: () => started,
    isIdle: () => running === 0 && !worker.isPaused() && !rests.isResting(),
    reconnect: () => {
      reconnectRedis(connection);
      void worker.backend.blockingClient?.then(reconnectRedis).catch(() => undefined);
    },
    recoverStalled: () => worker.backend.moveStalledJobsToWait(),
    onReconnect: (listener) => {
      // The client is kept for the life of the worker, across its reconnects.
      worker.backend.blockingClient?.then(
        (client) => client.on('ready', listener),
        () => undefined,
      );
    },
  };
}
