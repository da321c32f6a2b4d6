import { UnrecoverableError, type Job } from 'bullmq';
import { HoldfastError, toHoldfastError } from '@holdfast/shared/errors';
import { isJobName, workerTimings, type QueueName } from '@holdfast/shared/jobs';
import { service, type Service } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';
import { reconnectRedis, type RedisClient } from '@holdfast/shared/redis';
import { BurstWorker } from './bursts/burst-worker.js';
import { createJobBursts } from './bursts/job-bursts.js';
import { createErrorLog } from './error-log.js';
import type { NoteFailure } from './note-failure.js';
import { PatientWorker } from './patient-worker.js';
import { redisGone } from './redis-gone.js';
import { createRefusalGuard } from './refusal-guard.js';
import { parsePayload, type RunJob } from './run-job.js';
import { LOCK_LOST, settleJob } from './settle-job.js';

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
  const { queue, connection, prefix, concurrency, cancelAfterMs, runJob, noteFailure } = options;
  const log = options.log.child({ queue });
  /** Failures of jobs that ran here: runJob has told of them. */
  const noted = new WeakSet<Error>();
  const notes = new Set<Promise<void>>();
  let started = 0;
  let running = 0;

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
      await settleJob(await runJob(job, aborted), job, token ?? '', aborted);
    } catch (settled) {
      if (settled instanceof Error) noted.add(settled);
      throw settled;
    } finally {
      running -= 1;
    }
  };
  const bullOptions = {
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
  // A job of the sync queue may take minutes: none may be taken before there is a slot for it.
  const worker: PatientWorker =
    queue === 'sync'
      ? new PatientWorker(queue, work, bullOptions)
      : new BurstWorker(
          queue,
          work,
          bullOptions,
          createJobBursts(connection, () => worker.concurrency),
        );
  const guard = createRefusalGuard(worker, log);
  const logError = createErrorLog(log, 'worker.error');
  worker.on('error', (error) => {
    logError(error);
    guard.onError(error);
  });
  worker.on('completed', () => guard.onProgress());
  worker.on('lockRenewalFailed', (ids) => {
    log.warn('worker.locks_lost', { count: ids.length });
    for (const id of ids) worker.cancelJob(id, LOCK_LOST);
  });
  // BullMQ fails jobs that killed too many workers without running them.
  worker.on('failed', (job, error) => {
    if (job === undefined || noted.has(error) || !isJobName(job.name)) return;
    const note = noteUnrun(job, error).finally(() => notes.delete(note));
    notes.add(note);
  });
  const noteUnrun = async (job: Job, error: Error): Promise<void> => {
    if (!isJobName(job.name)) return;
    log.error('job.failed', {
      job: job.name,
      jobId: job.id,
      error: { name: error.name, message: error.message },
    });
    try {
      const payload = parsePayload(job.name, job.data);
      // Else it ran, its end could not be stored, and it is tried again.
      const isLost = error instanceof UnrecoverableError;
      const failure = { name: job.name, payload, attempt: job.attemptsMade, final: isLost };
      await noteFailure({
        ...failure,
        error: isLost
          ? new HoldfastError('WORKER_LOST', error.message, { cause: error })
          : toHoldfastError(error),
      });
    } catch (cause) {
      log.warn('job.failure_not_noted', { jobId: job.id, error: cause });
    }
  };

  const lifecycle = service(`worker ${queue}`, {
    start: () => {
      worker.run().catch(logError);
    },
    stop: async (deadline) => {
      guard.stop();
      const cancel = (): void => worker.cancelAllJobs('shutdown');
      const timer = setTimeout(cancel, queue === 'sync' ? 0 : cancelAfterMs);
      deadline.addEventListener('abort', cancel, { once: true });
      const gone = redisGone(connection);
      try {
        await Promise.race([worker.close(), gone.promise]);
        await Promise.allSettled(notes);
      } finally {
        gone.forget();
        clearTimeout(timer);
        deadline.removeEventListener('abort', cancel);
      }
    },
  });
  return {
    ...lifecycle,
    queue,
    setConcurrency: (value) => {
      worker.concurrency = value;
    },
    isRunning: () => worker.isRunning() && !worker.isPaused(),
    jobsStarted: () => started,
    isIdle: () => running === 0 && !worker.isPaused(),
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
