import { FlowProducer } from 'bullmq';
import { Redis } from 'ioredis';
import type { RedisSandbox } from '@holdfast/shared/testing';
import type { CleanUp } from './clean-up.js';
import { startBareWorker } from './bare-programs.js';
import type { Program } from './program.js';

const PREFIX = 'bare';

/** A flow of two empty jobs, with BullMQ as it comes, in a database of its own of the same server. */
export interface BareFlow {
  /** The verify job runs after the save job. */
  add(): Promise<string>;
  completed(): Promise<number>;
  clear(): Promise<void>;
  url: string;
  worker: Program;
  connection: { host: string; port: number; db: number };
  prefix: string;
}

export async function startBareFlow(
  sandbox: RedisSandbox,
  folder: string,
  cleanUp: CleanUp,
): Promise<BareFlow> {
  const url = `${sandbox.url}/1`;
  const worker = await startBareWorker(url, folder, cleanUp);
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  cleanUp.defer(() => redis.quit());
  const flows = new FlowProducer({ connection: redis, prefix: PREFIX });
  cleanUp.defer(() => flows.close());
  return {
    url,
    worker,
    add: async () => {
      const { job } = await flows.add({
        name: 'verify',
        queueName: 'verify',
        data: {},
        children: [{ name: 'save', queueName: 'save', data: {} }],
      });
      return job.id ?? '';
    },
    completed: () => redis.zcard(`${PREFIX}:verify:completed`),
    clear: async () => {
      // Only what has ended: the worker keeps its own keys.
      const old = await redis.zrange(`${PREFIX}:verify:completed`, '0', '-1');
      const older = await redis.zrange(`${PREFIX}:save:completed`, '0', '-1');
      const jobs = [
        ...old.map((id) => `${PREFIX}:verify:${id}`),
        ...older.map((id) => `${PREFIX}:save:${id}`),
      ];
      await redis.unlink(`${PREFIX}:verify:completed`, `${PREFIX}:save:completed`, ...jobs);
    },
    connection: { host: '127.0.0.1', port: sandbox.port, db: 1 },
    prefix: PREFIX,
  };
}
