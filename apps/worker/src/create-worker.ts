import type { Job, Processor } from 'bullmq';
import { workerTimings, type QueueName } from '@holdfast/shared/jobs';
import { service, type Backoff, type Service } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';
import { reconnectRedis, redisBackoff, type RedisClient } from '@holdfast/shared/redis';
import { closeWorker } from './queue-worker/close-worker.js';
import { createErrorLog } from './queue-worker/error-log.js';
import type { NoteFailure } from './job-run/note-failure.js';
import { PatientWorker, type Rests } from './queue-worker/patient-worker.js';
import type { RunJob } from './job-run/run-job.js';
import { LOCK_LOST, settleJob } from './job-run/settle-job.js';
import { createUnrunJobs } from './job-run/unrun-jobs.js';

export interface WorkerOptions {
  queue: QueueName;
  /** A connection of the role `queue`; the worker adds a blocking one of its own. */
  connection: RedisClient;
  /** The hash tag before all keys. */
  prefix: string;
  concurrency: number;
  /** Jobs are cancelled this long after the stop began; those of a sync at once, since it resumes at its page. */
  cancelAfterMs: number;
  runJob: RunJob;
  noteFailure: NoteFailure;
  log: Logger;
}

export interface QueueWorker extends Service {
  queue: QueueName;
  setConcurrency(concurrency: number): void;
  /** Takes no jobs while it rests: each would fail, and use up its attempts. */
  rest(resting: boolean): void;
  isRunning(): boolean;
  /** Moves jobs of dead workers back to wait; true names their ids. Takes two looks 14 s apart, as BullMQ does. */
  recoverStalled(): Promise<string[]>;
  /** How many jobs have been started here. */
  jobsStarted(): number;
  isIdle(): boolean;
  /** Makes the connections anew; commands in flight are sent again. */
  reconnect(): void;
  /** Called whenever the blocking connection is there again: a wake-up may have been lost with the old one. */
  onReconnect(listener: () => void): void;
}

/** The BullMQ worker of one queue. Our outcomes are spelled in settle-job.ts, its work is in handlers.ts. */
export function createWorker(options: WorkerOptions): QueueWorker {
  const { queue, connection, cancelAfterMs, runJob } = options;
  const log = options.log.child({ queue });
  const unrun = createUnrunJobs(options.noteFailure, log);
  let started = 0;
  let running = 0;
  let resting = false;
  const rests: Backoff = redisBackoff(connection);

  // Three parameters, spelled out: BullMQ counts them to decide whether to pass the signal.
  const work = async (
    job: Job,
    token: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    const aborted = signal ?? new AbortController().signal;
    started += 1;
    running += 1;
    try {
      await settleJob(await runJob(job, aborted), job, { token: token ?? '', signal: aborted, rests });
    } catch (settled) {
      unrun.hasRun(settled);
      throw settled;
    } finally {
      running -= 1;
    }
  };
  const worker = createBullWorker(options, work, { rests, onRest: createErrorLog(log, 'worker.resting') });
  const logError = createErrorLog(log, 'worker.error');
  worker.on('error', logError);
  worker.on('lockRenewalFailed', (ids) => {
    log.warn('worker.locks_lost', { count: ids.length });
    for (const id of ids) worker.cancelJob(id, LOCK_LOST);
  });
  worker.on('failed', (job, error) => unrun.onFailed(job, error));

  const lifecycle = service(`worker ${queue}`, {
    start: () => {
      worker.run().catch(logError);
    },
    stop: async (deadline) => {
      const cancelAfter = queue === 'sync' ? 0 : cancelAfterMs;
      await closeWorker(worker, { connection, cancelAfterMs: cancelAfter, deadline });
      await unrun.noted();
    },
  });
  return {
    ...lifecycle,
    queue,
    setConcurrency: (value) => {
      worker.concurrency = value;
    },
    rest: (value) => {
      if (value === resting) return;
      resting = value;
      void (resting ? worker.pause(true) : worker.resume());
    },
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

function createBullWorker(
  { queue, connection, prefix, concurrency }: WorkerOptions,
  work: Processor,
  rests: Rests,
): PatientWorker {
  const options = {
    connection,
    prefix,
    concurrency,
    autorun: false,
    drainDelay: workerTimings.blockSeconds,
    lockDuration: workerTimings.lockDurationMs,
    stalledInterval: workerTimings.stalledIntervalMs,
    maxStalledCount: workerTimings.maxStalledCount,
    skipStalledCheck: true,
    runRetryDelay: 1_000,
  };
  return new PatientWorker(queue, work, options, rests);
}
