import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { createCatalog, type Catalog } from '@holdfast/shared/catalog';
import { readSettings, type Environment, type Settings } from '@holdfast/foundation/config';
import { createIntents, type Intents } from '@holdfast/shared/intents';
import { connectMediaQueues, type MediaQueues } from '@holdfast/shared/jobs';
import type { Service } from '@holdfast/foundation/lifecycle';
import { silentLogger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '@holdfast/shared/media';
import { createMediaHost, type MediaHost } from '@holdfast/shared/media-host';
import { connectRedis, closeRedis, isReadyWithin, redisKeys, type RedisKeys } from '@holdfast/shared/redis';
import { createDeletionNotes, type DeletionNotes } from '@holdfast/shared/snapshot';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { createWorkerProcess } from '../../src/worker-process.js';

/** A Redis, a local host in a folder of its own, and what an API would use; workers are started by the test. */
export interface Bench {
  sandbox: RedisSandbox;
  env: Environment;
  settings: Settings;
  keys: RedisKeys;
  catalog: Catalog;
  intents: Intents;
  queues: MediaQueues;
  host: MediaHost;
  deletionNotes: DeletionNotes;
  /** An upload as the API leaves it: the record in the catalog, its jobs in the queues. */
  upload(record: MediaRecord): Promise<void>;
  startWorker(env?: Environment): Promise<Service>;
  close(): Promise<void>;
}

/** When a catalog that is not new was looked at last. */
const LONG_AGO = new Date(0).toISOString();

/** No sync of its own accord, so that a test sees only what it asked for. */
const quiet = { AUTO_SYNC_ON_STARTUP: 'false', SAVE_BACKOFF_MS: '20', LOG_LEVEL: 'silent' };

/** On a Redis of its own, unless `server` is given, which stays open. */
export async function openBench(
  given: Environment = {},
  redisArgs: readonly string[] = [],
  binary?: string,
  server?: RedisSandbox,
): Promise<Bench> {
  const sandbox = server ?? (await startRedisSandbox(redisArgs, binary));
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-worker-'));
  const env = { ...quiet, REDIS_URL: sandbox.url, DATA_DIR: directory, ...given };
  const settings = readSettings(env);
  const keys = redisKeys(settings.redis.prefix);
  const client = connectRedis(settings.redis.connection, 'background', silentLogger);
  const queues = connectMediaQueues(settings.redis, settings.jobs, silentLogger);
  await isReadyWithin(client, 5_000);
  await vi.waitFor(() => queues.queues.save.getWaitingCount(), { interval: 10 });
  // A catalog that has begun: else the first worker would refill it, and find records without an asset missing.
  await sandbox.client.set(keys.epoch, Date.now());
  await sandbox.client.hset(keys.syncState, 'lastFullAt', LONG_AGO);
  const host = await createMediaHost(settings.host, { log: silentLogger });
  const intents = createIntents(client, keys);
  const workers: Service[] = [];
  return {
    sandbox,
    env,
    settings,
    keys,
    catalog: createCatalog(client, keys),
    intents,
    queues,
    upload: async (record) => {
      await intents.open(record.id, record.publicId, 1_000);
      await intents.accept({ record, jobs: queues.jobsOf(record) });
    },
    host,
    deletionNotes: createDeletionNotes(host, settings, silentLogger),
    startWorker: async (over = {}) => {
      const worker = await createWorkerProcess(readSettings({ ...env, ...over }), silentLogger);
      workers.push(worker);
      await worker.start();
      return worker;
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop(AbortSignal.timeout(5_000))));
      await queues.close();
      await closeRedis(client);
      await host.close();
      if (server === undefined) await sandbox.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
