import { RedisConnection, Worker, type Job, type Processor, type WorkerOptions } from 'bullmq';
import { workerTimings } from '@holdfast/shared/jobs';
import type { Backoff } from '@holdfast/foundation/lifecycle';
import type { RedisClient } from '@holdfast/shared/redis';

/** BullMQ takes a server that it does not ask for this one. Such servers block for fractions of a second. */
RedisConnection.minimumVersion = '6.2.0';

export interface Rests {
  /** Shared with all that hand jobs of this worker back. */
  rests: Backoff;
  /** Told why, at the beginning of each rest. */
  onRest: (error: unknown) => void;
}

/**
 * Blocks as long as it is told to: BullMQ's own limit of 10 s would have an idle worker ask six times a minute. And rests
 * after whatever Redis answers instead of a job: BullMQ would ask again at once, ten thousand times a second.
 */
export class PatientWorker extends Worker {
  constructor(
    queue: string,
    processor: Processor,
    options: WorkerOptions,
    private readonly patience: Rests,
  ) {
    // Asked once, when it connects, and refused then, BullMQ would keep the failure for ever.
    super(queue, processor, { ...options, skipVersionCheck: true });
    const wait = this.backend.waitForJob.bind(this.backend);
    this.backend.waitForJob = (seconds) => this.orRest(() => wait(seconds));
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
        this.report(error);
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

  /** Tells those who listen for errors of the worker. */
  private report(error: unknown): void {
    this.emit('error', error instanceof Error ? error : new Error(String(error)));
  }

  /** The loop waits for each of these, so it rests with them. It hears of the failure when it goes on. */
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
  const gone = redisGone(connection);
  try {
    await Promise.race([worker.close(), gone.promise]);
  } finally {
    gone.forget();
    clearTimeout(timer);
    deadline.removeEventListener('abort', cancel);
  }
}

/** A stop waits this long for jobs while Redis is away: they cannot end, and others will find them stalled. */
const WITHOUT_REDIS_MS = 1_000;
/** A Redis that does not answer for so long is away too, though its connections stand: paused, or behind a dead line. */
const SILENT_MS = 3_000;
const ASK_EVERY_MS = 1_000;

/** Resolves once Redis is away during a stop: BullMQ would wait for ever for jobs whose end cannot be stored. */
export function redisGone(connection: RedisClient): { promise: Promise<void>; forget: () => void } {
  let timer: NodeJS.Timeout | undefined;
  let asking: NodeJS.Timeout | undefined;
  let resolveGone = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    resolveGone = resolve;
  });
  const begin = (): void => {
    timer ??= setTimeout(resolveGone, WITHOUT_REDIS_MS);
  };
  const ask = (): void => {
    asking = setTimeout(resolveGone, SILENT_MS);
    connection.ping().then(askLater, () => undefined);
  };
  const askLater = (): void => {
    if (forgotten) return;
    clearTimeout(asking);
    asking = setTimeout(ask, ASK_EVERY_MS);
  };
  // A moment without it is no outage.
  const back = (): void => {
    clearTimeout(timer);
    timer = undefined;
    clearTimeout(asking);
    ask();
  };
  let forgotten = false;
  connection.on('close', begin);
  connection.on('ready', back);
  if (connection.status === 'ready') ask();
  else begin();
  return {
    promise,
    forget: () => {
      forgotten = true;
      clearTimeout(timer);
      clearTimeout(asking);
      connection.off('close', begin);
      connection.off('ready', back);
    },
  };
}
