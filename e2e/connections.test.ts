import type { RedisSandbox } from '@holdfast/shared/testing';
import { expect, it } from 'vitest';
import { aPng, type ApiClient } from './harness/client.js';
import { deploymentOf } from './harness/deployment.js';

/** docs/scaling.md publishes these numbers. */
const OF_API = { request: 1, producer: 1, barrier: 1 };
const OF_WORKER = { queue: 1, blocking: 3, background: 1, readback: 1, barrier: 1 };

/** The connections of our processes, by what they are for. */
async function connections({ client }: RedisSandbox): Promise<Record<string, number>> {
  const lines = String(await client.client('LIST')).split('\n');
  const names = lines.map((line) => / name=(\S+) /.exec(line)?.[1] ?? '').filter((name) => name !== '');
  const counts: Record<string, number> = {};
  for (const name of names) {
    // BullMQ names those that block by their queue.
    const role = name.startsWith('holdfast-') ? name.slice('holdfast-'.length) : 'blocking';
    counts[role] = (counts[role] ?? 0) + 1;
  }
  return counts;
}

function sum(...parts: Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const part of parts)
    for (const [role, count] of Object.entries(part)) total[role] = (total[role] ?? 0) + count;
  return total;
}

/** What clients and operators do. */
async function useAll(client: ApiClient): Promise<void> {
  const { status } = await client.upload(aPng(), {}, { Prefer: 'wait=20' });
  expect(status).toBe(201);
  expect((await client.sync('full')).status).toBe(200);
  for (const path of [
    '/api/media/health',
    '/api/media/database/status',
    '/metrics',
    '/admin/queues/api/queues',
  ])
    expect((await client.call(path)).status).toBe(200);
}

it('holds three connections for an API and seven for a worker, also while a restart doubles the processes', async (test) => {
  const deployment = await deploymentOf(test);
  const [old, oldWorker] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  await useAll(old.client);
  const one = sum(OF_API, OF_WORKER);
  // Those that examine a server when it is new are closed again.
  await expect.poll(() => connections(deployment.redis)).toEqual(one);
  const [next] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  await useAll(next.client);
  await expect.poll(() => connections(deployment.redis)).toEqual(sum(one, one));
  expect(await Promise.all([old.program.stop(), oldWorker.stop()])).toEqual([0, 0]);
  await expect.poll(() => connections(deployment.redis)).toEqual(one);
});
