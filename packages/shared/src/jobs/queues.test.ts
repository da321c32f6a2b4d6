import { expect, it, vi } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { aRecord, freePort, startRedisSandbox } from '../testing/index.js';
import { connectMediaQueues } from './index.js';

const { jobs } = readSettings({});

it('adds jobs once Redis is there, though it was opened before the connection was', async () => {
  const sandbox = await startRedisSandbox();
  const queues = connectMediaQueues(sandbox.settings, jobs, silentLogger);
  try {
    await vi.waitFor(() => queues.enqueueUpload(aRecord()), { interval: 10 });
    expect(await queues.queues.save.getWaitingCount()).toBe(1);
  } finally {
    await queues.close();
    await sandbox.close();
  }
});

it('refuses at once while Redis is not there', async () => {
  const { redis } = readSettings({ REDIS_URL: `redis://127.0.0.1:${String(await freePort())}` });
  const queues = connectMediaQueues(redis, jobs, silentLogger);
  try {
    await expect(queues.enqueueUpload(aRecord())).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  } finally {
    await queues.close();
  }
});

it('continues when the server loses its scripts, also under concurrent uploads', async () => {
  const sandbox = await startRedisSandbox();
  const queues = connectMediaQueues(sandbox.settings, jobs, silentLogger);
  try {
    await vi.waitFor(() => queues.enqueueUpload(aRecord()), { interval: 10 });
    await sandbox.client.script('FLUSH');
    await Promise.all(Array.from({ length: 20 }, () => queues.enqueueUpload(aRecord())));
    const { save, verify } = queues.queues;
    expect([await save.getWaitingCount(), await verify.getWaitingCount()]).toEqual([21, 21]);
  } finally {
    await queues.close();
    await sandbox.close();
  }
});
