import { Queue, type Job } from 'bullmq';
import { expect, vi } from 'vitest';
import { readSettings } from '@holdfast/shared/config';
import { createBackoff } from '@holdfast/shared/lifecycle';
import { silentLogger } from '@holdfast/shared/logging';
import { closeRedis, connectRedis } from '@holdfast/shared/redis';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import type { BurstPace } from '../../src/bursts/burst-pace.js';
import { BurstWorker } from '../../src/bursts/burst-worker.js';
import { createJobBursts } from '../../src/bursts/job-bursts.js';

/** Before the keys of the queue, which is named `work`. */
export const prefix = '{bursts}';

interface Setup {
  concurrency: number;
  /** As told to the bursts, where it is not the truth. */
  slots?: number;
  pace?: BurstPace;
}

export interface BurstRig {
  redis: RedisSandbox;
  queue: Queue;
  /** Jobs that have begun, in their order. */
  begun: Job[];
  /** Of the worker. */
  errors: Error[];
  /** The one worker. */
  startWorker(setup: Setup): BurstWorker;
  /** Ends the jobs that have begun, and lets those that begin later end at once; one named `bad` fails. */
  letGo(): void;
  add(count: number): Promise<void>;
  counts(): Promise<Record<string, number>>;
  expectCounts(expected: Record<string, number>): Promise<void>;
  /** Connections that wait for the answer to this command. */
  clients(command: string): Promise<string[]>;
  close(): Promise<void>;
}

/** The machine may be busy, and a connection that was refused waits before it comes again. */
export const soon = <T>(check: () => T | Promise<T>): Promise<T> => vi.waitFor(check);

/** A queue on a Redis of its own, and a worker that takes its jobs in bursts. */
export async function openBurstRig(): Promise<BurstRig> {
  const redis = await startRedisSandbox();
  const settings = readSettings({ REDIS_URL: redis.url });
  const connection = connectRedis(settings.redis.connection, 'queue', silentLogger);
  const queue = new Queue('work', { connection, prefix });
  const begun: Job[] = [];
  const errors: Error[] = [];
  let worker: BurstWorker | undefined;
  let letGo = (): void => undefined;
  const counts = (): Promise<Record<string, number>> => queue.getJobCounts('wait', 'active', 'completed');
  return {
    redis,
    queue,
    begun,
    errors,
    startWorker: ({ concurrency, slots = concurrency, pace }) => {
      const gate = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      worker = new BurstWorker(
        'work',
        async (job: Job) => {
          begun.push(job);
          await gate;
          if (job.name === 'bad') throw new Error('bad');
        },
        { connection, prefix, concurrency, autorun: false, lockDuration: 20_000, skipStalledCheck: true },
        { rests: createBackoff(), onRest: () => undefined },
        createJobBursts(connection, () => slots, pace),
      );
      worker.on('error', (error) => errors.push(error));
      void worker.run();
      return worker;
    },
    letGo: () => letGo(),
    add: async (count) => {
      await queue.addBulk(Array.from({ length: count }, (_, index) => ({ name: 'job', data: { index } })));
    },
    counts,
    expectCounts: (expected) => soon(async () => expect(await counts()).toEqual(expected)),
    clients: async (command) =>
      String(await redis.client.client('LIST'))
        .split('\n')
        .filter((line) => line.includes(` cmd=${command} `) && / flags=\w*b/.test(line)),
    close: async () => {
      letGo();
      await worker?.close();
      await queue.close();
      await closeRedis(connection);
      await redis.close();
    },
  };
}
