import { setTimeout as pause } from 'node:timers/promises';
import { RedisConnection, Worker, type Job, type Processor, type WorkerOptions } from 'bullmq';
import { withinMs, type Backoff } from '@holdfast/foundation/lifecycle';
import { workerTimings } from '@holdfast/shared/jobs';
import { defineScript, profileOfClient, type RedisClient } from '@holdfast/shared/redis';

/** BullMQ takes a server that it does not ask for this one. Such servers block for fractions of a second. */
RedisConnection.minimumVersion = '6.2.0';

/**
 * KEYS: marker, wait, prioritized. BullMQ leaves its marker with every job that it takes, to wake the next worker. Where no job
 * waits, the marker would only make this worker look in vain.
 */
const dropIdleMarker = defineScript(`
if redis.call('EXISTS', KEYS[2], KEYS[3]) == 0 then redis.call('ZREM', KEYS[1], '0') end
`);

export interface Rests {
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
    // Kept for the life of the worker, across its reconnects.
    this.backend.blockingClient?.then(
      (client) => client.on('ready', () => this.patience.rests.reset()),
      () => undefined,
    );
  }

  override get maximumBlockTimeout(): number {
    return workerTimings.blockSeconds;
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

export interface CloseWorkerOptions {
  /** Of the worker. */
  connection: RedisClient;
  /** Jobs are cancelled after so long, or when the deadline aborts. */
  cancelAfterMs: number;
  deadline: AbortSignal;
}

/** Resolves once the worker's jobs have ended, or once Redis is away: BullMQ's own close would wait for ever then. */
export async function closeWorker(
  worker: Pick<Worker, 'close' | 'cancelAllJobs'>,
  { connection, cancelAfterMs, deadline }: CloseWorkerOptions,
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
