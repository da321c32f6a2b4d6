import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import type { EmulatorControl } from '@holdfast/cloudinary-emulator';
import { createCatalog } from '@holdfast/shared/catalog';
import { queueNames } from '@holdfast/shared/jobs';
import { redisKeys, type RedisKeys } from '@holdfast/shared/redis';
import { freePort, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { until } from '../until.js';
import { awaitVerified } from './await-verified.js';
import type { CleanUp } from './clean-up.js';
import { startEmulator } from './emulator-process.js';
import { repositoryFile, startProgram, type Program } from './program.js';

/** One API process, one worker, a Redis with fsync on every write, and an emulated host: all as built. */
export interface Holdfast {
  url: string;
  redis: RedisSandbox;
  keys: RedisKeys;
  emulator: EmulatorControl;
  api: Program;
  worker: Program;
  /** One more worker of the fleet; resolves once it works. */
  startWorker(): Promise<Program>;
  /** For the logs and files of whatever else a row starts. */
  folder: string;
  /** Resolves once nothing is left to do: no job but the schedule's, no record that is being saved. */
  settle(): Promise<void>;
}

/** A folder for files of one row, removed with it. */
export async function temporaryFolder(cleanUp: CleanUp): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function startHoldfast(
  cleanUp: CleanUp,
  over: Record<string, string> = {},
  bytes: 'discard' | 'memory' = 'discard',
): Promise<Holdfast> {
  const folder = await temporaryFolder(cleanUp);
  const redis = await startRedisSandbox();
  cleanUp.defer(() => redis.close());
  const emulator = await startEmulator(folder, cleanUp, bytes);
  const env = {
    REDIS_URL: redis.url,
    CLOUDINARY_URL: emulator.cloudinaryUrl,
    DATA_DIR: join(folder, 'data'),
    AUTO_SYNC_ON_STARTUP: 'false',
    ...over,
  };
  const port = String(await freePort());
  const api = await startProgram(
    repositoryFile('apps/api/dist/main.js'),
    { ...env, PORT: port },
    folder,
    cleanUp,
  );
  const startWorker = async (): Promise<Program> => {
    const workerPort = String(await freePort());
    const program = await startProgram(
      repositoryFile('apps/worker/dist/main.js'),
      { ...env, WORKER_PORT: workerPort },
      folder,
      cleanUp,
    );
    await program.waitFor(`http://127.0.0.1:${workerPort}/readyz`);
    return program;
  };
  const url = `http://127.0.0.1:${port}`;
  const [worker] = await Promise.all([startWorker(), api.waitFor(`${url}/readyz`)]);
  const keys = redisKeys('holdfast');
  // A new catalog is refilled from the host first.
  await until('the first recovery', 60_000, 50, async () => (await redis.client.exists(keys.epoch)) === 1);
  const settle = (): Promise<void> => settled(redis.client, keys);
  await settle();
  return { url, redis, keys, emulator, api, worker, startWorker, folder, settle };
}

async function settled(redis: Redis, keys: RedisKeys): Promise<void> {
  const schedule = 1;
  await until('an idle deployment', 180_000, 25, async () => {
    const look = redis.pipeline();
    for (const queue of queueNames) {
      look.llen(keys.queue(queue, 'wait'));
      look.llen(keys.queue(queue, 'active'));
      look.zcard(keys.queue(queue, 'delayed'));
    }
    const sizes = ((await look.exec()) ?? []).map(([, size]) => size as number);
    return sizes.reduce((sum, size) => sum + size, 0) <= schedule;
  });
  await awaitVerified(redis, keys);
}

/** How many records the catalog holds. */
export async function countRecords({ redis, keys }: Pick<Holdfast, 'redis' | 'keys'>): Promise<number> {
  return (await createCatalog(redis.client, keys).counts()).total;
}

/** The process of the Redis server. */
export async function serverPid({ client }: Pick<RedisSandbox, 'client'>): Promise<number> {
  return Number(/^process_id:(\d+)/m.exec(await client.info('server'))?.[1]);
}
