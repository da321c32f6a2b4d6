import { Worker } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { connectMediaQueues, syncJob, type SyncPayload } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import {
  closeRedis,
  connectRedis,
  redisKeys,
  redisProfiles,
  type RedisProfile,
} from '@holdfast/shared/redis';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { createSyncRequests } from './sync-requests.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

const DELAY_MS = 200;

/** Requests of several processes, and a worker that notes what it runs. */
async function openRequests(
  run: (payload: SyncPayload) => Promise<void> = () => Promise.resolve(),
  sync: Parameters<typeof createSyncRequests>[1] = { afterUploadDelayMs: DELAY_MS, intervalMinutes: 15 },
  profile: RedisProfile = redisProfiles.standard,
) {
  await sandbox.client.flushall();
  const settings = readSettings({ REDIS_URL: sandbox.url });
  const ran: SyncPayload[] = [];
  const client = connectRedis(settings.redis.connection, 'queue', silentLogger);
  const worker = new Worker(
    'sync',
    async (job) => {
      const payload = syncJob.parse(job.data);
      ran.push(payload);
      await run(payload);
    },
    { connection: client, prefix: redisKeys(settings.redis.prefix).prefix },
  );
  worker.on('error', () => undefined);
  onTestFinished(async () => {
    await worker.close();
    await closeRedis(client);
  });
  await worker.waitUntilReady();
  const processes = await Promise.all(
    [1, 2].map(async () => {
      const queues = connectMediaQueues(settings.redis, settings.jobs, silentLogger);
      onTestFinished(() => queues.close());
      await vi.waitFor(() => queues.queues.save.getWaitingCount(), { interval: 10 });
      return createSyncRequests(queues, sync, profile, silentLogger);
    }),
  );
  return { ran, processes };
}

describe('a sync after uploads', () => {
  it('serves all uploads of all processes that come before it starts', async () => {
    const { ran, processes } = await openRequests();
    for (let n = 0; n < 50; n += 1) for (const process of processes) process.afterUpload();
    await vi.waitFor(() => expect(ran).toHaveLength(1));
    expect(ran[0]).toMatchObject({ trigger: 'upload', mode: 'incremental' });
    // A second one would have been asked for by now, and is: by the next upload only.
    processes[0]?.afterUpload();
    await vi.waitFor(() => expect(ran).toHaveLength(2));
    expect(new Set(ran.map((payload) => payload.runId)).size).toBe(2);
  });

  it.each([
    ['is left to a schedule that runs as often', { afterUploadDelayMs: null, intervalMinutes: 15 }, 0],
    ['is asked for where the schedule is rarer', { afterUploadDelayMs: null, intervalMinutes: 60 }, 1],
    ['is asked for where there is no schedule', { afterUploadDelayMs: null, intervalMinutes: 0 }, 1],
    ['is asked for where the settings say when', { afterUploadDelayMs: 60_000, intervalMinutes: 15 }, 1],
  ])('%s, on a Redis that bills commands', async (_what, sync, asked) => {
    const { processes } = await openRequests(undefined, sync, redisProfiles.upstash);
    processes[0]?.afterUpload();
    // Whatever it asks for is there before this.
    await processes[0]?.serverChanged();
    const { prefix } = redisKeys(readSettings({}).redis.prefix);
    expect(await sandbox.client.zcard(`${prefix}:sync:delayed`)).toBe(1 + asked);
  });

  it('runs once more for an upload during the run', async () => {
    let end = (): void => undefined;
    const first = new Promise<void>((resolve) => {
      end = resolve;
    });
    let isFirst = true;
    const { ran, processes } = await openRequests(async () => {
      if (!isFirst) return;
      isFirst = false;
      await first;
    });
    processes[0]?.afterUpload();
    await vi.waitFor(() => expect(ran).toHaveLength(1));
    for (const process of processes) process.afterUpload();
    await vi.waitFor(async () => expect(await sandbox.client.keys('*:de:*')).not.toEqual([]));
    end();
    await vi.waitFor(() => expect(ran).toHaveLength(2));
  });

  it('never throws when Redis is away, and asks again later', async () => {
    const { ran, processes } = await openRequests();
    await sandbox.kill();
    processes[0]?.afterUpload();
    await sandbox.restart();
    await vi.waitFor(
      () => {
        processes[0]?.afterUpload();
        expect(ran.length).toBeGreaterThan(0);
      },
      { interval: 50 },
    );
  });
});

describe('a recovery', () => {
  it('is asked for once by the whole fleet', async () => {
    let end = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      end = resolve;
    });
    const { ran, processes } = await openRequests(() => held);
    await Promise.all(processes.map((process) => process.recovery()));
    await vi.waitFor(() => expect(ran).toHaveLength(1));
    expect(ran[0]).toMatchObject({ trigger: 'recovery', mode: 'full' });
    end();
  });
});
