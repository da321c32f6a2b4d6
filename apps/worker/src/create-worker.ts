import { UnrecoverableError, type Job } from 'bullmq';
import { HoldfastError, toHoldfastError } from '@holdfast/foundation/errors';
import { isJobName, workerTimings, type JobName, type QueueName } from '@holdfast/shared/jobs';
import { service, type Backoff, type Service } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { reconnectRedis, redisBackoff, type RedisClient } from '@holdfast/shared/redis';
import { createErrorLog } from './queue-worker/error-log.js';
import { closeWorker, PatientWorker } from './queue-worker/patient-worker.js';
import { parsePayload, type NoteFailure, type RunJob } from './job-run/run-job.js';
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
  const neverRun = createFailedBeforeRunning(options.noteFailure, log);
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
      neverRun.hasRun(settled);
      throw settled;
    } finally {
      running -= 1;
    }
  };
  const worker = new PatientWorker(
    queue,
    work,
    {
      connection,
      prefix: options.prefix,
      concurrency: options.concurrency,
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
  worker.on('lockRenewalFailed', (ids) => {
    log.warn('worker.locks_lost', { count: ids.length });
    for (const id of ids) worker.cancelJob(id, LOCK_LOST);
  });
  worker.on('failed', (job, error) => neverRun.onFailed(job, error));

  const lifecycle = service(`worker ${queue}`, {
    start: () => {
      worker.run().catch(logError);
    },
    stop: async (deadline) => {
      const cancelAfter = queue === 'sync' ? 0 : cancelAfterMs;
      await closeWorker(worker, { connection, cancelAfterMs: cancelAfter, deadline });
      await neverRun.noted();
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

interface FailedBeforeRunning {
  /** What a job that ran here ends with: runJob has logged and noted it. */
  hasRun(error: unknown): void;
  /** Called for every job that fails. */
  onFailed(job: Job | undefined, error: Error): void;
  /** Resolves once nothing is being noted any more. */
  noted(): Promise<void>;
}

/** Logs and notes jobs that failed without being run: BullMQ does that to those that killed too many workers. */
function createFailedBeforeRunning(noteFailure: NoteFailure, log: Logger): FailedBeforeRunning {
  const seen = new WeakSet<Error>();
  const notes = new Set<Promise<void>>();

  const note = async (name: JobName, job: Job, error: Error): Promise<void> => {
    log.error('job.failed', {
      job: name,
      jobId: job.id,
      error: { name: error.name, message: error.message },
    });
    try {
      const payload = parsePayload(name, job.data);
      // Else it ran, its end could not be stored, and it is tried again.
      const isLost = error instanceof UnrecoverableError;
      await noteFailure({
        name,
        payload,
        attempt: job.attemptsMade,
        final: isLost,
        error: isLost
          ? new HoldfastError('WORKER_LOST', error.message, { cause: error })
          : toHoldfastError(error),
      });
    } catch (cause) {
      log.warn('job.failure_not_noted', { jobId: job.id, error: cause });
    }
  };

  return {
    hasRun: (error) => {
      if (error instanceof Error) seen.add(error);
    },
    onFailed: (job, error) => {
      if (job === undefined || seen.has(error) || !isJobName(job.name)) return;
      const noting = note(job.name, job, error).finally(() => notes.delete(noting));
      notes.add(noting);
    },
    noted: async () => {
      await Promise.allSettled(notes);
    },
  };
}
