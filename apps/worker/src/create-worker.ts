import { setTimeout as pause } from 'node:timers/promises';
import { RedisConnection, Worker, type Job, type Processor, type WorkerOptions } from 'bullmq';
import { service, withinMs, type Backoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { QueueName } from '@holdfast/shared/jobs';
import {
  defineScript,
  profileOfClient,
  reconnectRedis,
  redisBackoff,
  type RedisClient,
} from '@holdfast/shared/redis';
import { createErrorLog } from './error-log.js';
import { LOCK_LOST, type JobRunner } from './run-job.js';

export interface QueueWorkerOptions {
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

/** Longest block of an idle worker. The watch makes up for wake-ups that a long block can lose. */
const BLOCK_SECONDS = 900;
/**
 * A job that lost its worker this often is not tried again: something in it kills processes. Starts are not limited: a job
 * that waits for Redis or for the host is started again and again, which says nothing against it.
 */
const MAX_WORKERS_LOST = 50;
/** A lone job that takes longer no longer keeps the worker from looking for others. */
const LONE_JOB_MS = 250;

/**
 * The BullMQ worker of one queue.
 *
 * Where commands are billed, an idle worker has a concurrency of 1, so that it does not look for a second job when it takes one: BullMQ
 * fetches the next one with the end of the first. If there is one, or if the first takes long, the worker goes to its full concurrency
 * until it is idle.
 */
export function createWorker(options: QueueWorkerOptions) {
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
    started += 1;
    running += 1;
    if (takesOneJob && wasEmpty && running === 1) lone = setTimeout(lookForMore, LONE_JOB_MS);
    else worker.concurrency = full;
    wasEmpty = false;
    try {
      await jobs.run(job, { token: token ?? '', signal: signal ?? new AbortController().signal, rests });
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
      drainDelay: BLOCK_SECONDS,
      lockDuration: 20_000,
      stalledInterval: 14_000,
      maxStalledCount: MAX_WORKERS_LOST,
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

  return {
    ...service(`worker ${queue}`, {
      start: () => {
        worker.run().catch(logError);
      },
      stop: (deadline) => closeWorker(worker, connection, queue === 'sync' ? 0 : cancelAfterMs, deadline),
    }),
    queue,
    isRunning: (): boolean => worker.isRunning() && !worker.isPaused() && !rests.isResting(),
    /** How many jobs have been started here. */
    jobsStarted: (): number => started,
    isIdle: (): boolean => running === 0 && !worker.isPaused() && !rests.isResting(),
    /** Replaces the connections; commands in flight are sent again. */
    reconnect: (): void => {
      reconnectRedis(connection);
      worker.withBlockingClient(reconnectRedis);
    },
    /** Moves jobs of dead workers back to wait; true names their ids. Takes two looks 14 s apart, as BullMQ does. */
    recoverStalled: (): Promise<string[]> => worker.backend.moveStalledJobsToWait(),
    /** Called whenever the blocking connection is there again: a wake-up may have been lost with the old one. */
    onReconnect: (listener: () => void): void =>
      worker.withBlockingClient((client) => client.on('ready', listener)),
  };
}

export type QueueWorker = ReturnType<typeof createWorker>;

/** BullMQ takes a server that it does not ask for this one. Such servers block for fractions of a second. */
RedisConnection.minimumVersion = '6.2.0';

/**
 * KEYS: marker, wait, prioritized. BullMQ leaves its marker with every job that it takes, to wake the next worker. Where no job
 * waits, the marker would only make this worker look in vain.
 */
const dropIdleMarker = defineScript(`
if redis.call('EXISTS', KEYS[2], KEYS[3]) == 0 then redis.call('ZREM', KEYS[1], '0') end
`);

interface Rests {
  /** Shared with everything that hands jobs of this worker back. */
  rests: Backoff;
  /** Called with the reason at the beginning of each rest. */
  onRest: (error: unknown) => void;
}

/**
 * Blocks for as long as it is told to: BullMQ's own limit of 10 s would have an idle worker ask six times a minute. And rests
 * after whatever Redis answers instead of a job: BullMQ would ask again at once, ten thousand times a second.
 */
export class PatientWorker extends Worker {
  constructor(
    queue: string,
    processor: Processor,
    options: WorkerOptions & { connection: RedisClient },
    private readonly patience: Rests,
  ) {
    // Asked once, when it connects, and refused then, BullMQ would keep the failure for ever.
    super(queue, processor, { ...options, skipVersionCheck: true });
    const wait = this.backend.waitForJob.bind(this.backend);
    const { takesOneJob } = profileOfClient(options.connection);
    const keys = ['marker', 'wait', 'prioritized'].map((part) => this.toKey(part));
    this.backend.waitForJob = (seconds) =>
      this.orRest(async () => {
        if (takesOneJob) await dropIdleMarker(options.connection, keys, []);
        return wait(seconds);
      });
    this.withBlockingClient((client) => client.on('ready', () => this.patience.rests.reset()));
  }

  /** Once it is there. It is kept for the life of the worker, across its reconnects. */
  withBlockingClient(use: (client: NonNullable<Awaited<typeof this.backend.blockingClient>>) => void): void {
    this.backend.blockingClient?.then(use, () => undefined);
  }

  override get maximumBlockTimeout(): number {
    return BLOCK_SECONDS;
  }

  /** A loop that failed would end the process, or never come back. */
  override async run(): Promise<void> {
    for (;;) {
      try {
        return await super.run();
      } catch (error) {
        if (this.closing !== undefined || this.isRunning()) return;
        this.emit('error', error instanceof Error ? error : new Error(String(error)));
        await this.patience.rests.rest();
      }
    }
  }

  override async close(force?: boolean): Promise<void> {
    const closed = super.close(force);
    this.patience.rests.reset();
    return closed;
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    const job = await this.orRest(() => super.moveToActive(token, name));
    this.patience.rests.reset();
    return job;
  }

  /** The loop waits for each of these, so it rests with them. It sees the failure when it continues. */
  private async orRest<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (this.closing === undefined) {
        this.patience.onRest(error);
        await this.patience.rests.rest();
      }
      throw error;
    }
  }
}

/**
 * Resolves once the worker's jobs have ended, or once Redis is away: BullMQ's own close would wait for ever then. Jobs are cancelled
 * after `cancelAfterMs`, or when the deadline aborts.
 */
async function closeWorker(
  worker: Worker,
  connection: RedisClient,
  cancelAfterMs: number,
  deadline: AbortSignal,
): Promise<void> {
  const cancel = (): void => worker.cancelAllJobs('shutdown');
  const timer = setTimeout(cancel, cancelAfterMs);
  deadline.addEventListener('abort', cancel, { once: true });
  const closed = new AbortController();
  try {
    await Promise.race([worker.close(), redisGone(connection, closed.signal)]);
  } finally {
    closed.abort();
    clearTimeout(timer);
    deadline.removeEventListener('abort', cancel);
  }
}

const ANSWERS_WITHIN_MS = 1_500;
const ASK_EVERY_MS = 500;
/** Pings without an answer that say that Redis is away: paused, or behind a dead connection. A moment without it is not an outage. */
const UNANSWERED = 2;

/** Resolves once Redis is away, or when the signal aborts. */
export async function redisGone(connection: RedisClient, signal: AbortSignal): Promise<void> {
  for (let unanswered = 0; unanswered < UNANSWERED && !signal.aborted;) {
    const ping = connection.ping().then(
      () => true,
      () => false,
    );
    unanswered = (await withinMs(ANSWERS_WITHIN_MS, ping, false)) ? 0 : unanswered + 1;
    await pause(ASK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
