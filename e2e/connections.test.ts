import { freePort, type RedisSandbox } from '@holdfast/shared/testing';
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

interface Health {
  storage: { findings: { code: string; severity: string }[] };
}

/** Cuts the connections of one role, and lets none in their place. */
async function refuse({ client }: RedisSandbox, role: string): Promise<void> {
  const lines = String(await client.client('LIST'))
    .split('\n')
    .filter((line) => line !== '');
  const words = role === 'blocking' ? ' name={' : ` name=holdfast-${role} `;
  const cut = lines.filter((line) => line.includes(words));
  await client.config('SET', 'maxclients', String(lines.length - cut.length));
  for (const line of cut) await client.client('KILL', 'ID', /^id=(\d+)/.exec(line)?.[1] ?? '');
}

it.for([
  { role: 'request', of: ['api'], uploads: 503, severity: 'error', workerReady: true },
  { role: 'producer', of: ['api'], uploads: 202, severity: 'warning', workerReady: true },
  { role: 'barrier', of: ['api', 'worker'], uploads: 202, severity: 'warning', workerReady: false },
  { role: 'readback', of: ['worker'], uploads: 202, severity: 'warning', workerReady: false },
  { role: 'background', of: ['worker'], uploads: 202, severity: 'warning', workerReady: false },
  { role: 'queue', of: ['worker'], uploads: 202, severity: 'warning', workerReady: false },
  // BullMQ's own; health says NO_WORKER as well.
  { role: 'blocking', of: ['worker'], uploads: 202, severity: 'warning', workerReady: true },
])('says so while the server has no room for $role, and goes on by itself', async (refused, test) => {
  const { role, of, uploads, severity, workerReady } = refused;
  const deployment = await deploymentOf(test);
  const workerPort = String(await freePort());
  const [{ client, program }, worker] = await Promise.all([
    deployment.startApi(),
    deployment.startWorker({ WORKER_PORT: workerPort }),
  ]);
  await expect.poll(() => connections(deployment.redis)).toEqual(sum(OF_API, OF_WORKER));
  await refuse(deployment.redis, role);

  await expect
    .poll(async () => (await client.call<Health>('/api/media/health')).body.storage.findings)
    .toContainEqual(expect.objectContaining({ code: 'REDIS_CONNECTIONS', severity }));
  for (const name of of)
    await (name === 'api' ? program : worker).waitForLog(
      ({ message, refusal }) => message === 'redis.connection_error' && refusal === 'connections',
    );
  const isReady = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${workerPort}/readyz`)).ok;
  expect(await isReady()).toBe(workerReady);
  const { status, body } = await client.upload(aPng());
  expect(status).toBe(uploads);

  await deployment.redis.client.config('SET', 'maxclients', '10000');
  await expect.poll(() => connections(deployment.redis)).toEqual(sum(OF_API, OF_WORKER));
  const next = await client.upload(aPng(), {}, { Prefer: 'wait=20' });
  expect(next.status).toBe(201);
  const accepted = status === 202 ? [body.media.id] : [];
  const outcomes = async () =>
    Promise.all(
      accepted.map(async (id) => {
        const { status: now, persistence } = (await client.media(id)).body;
        return [now, persistence.attempts];
      }),
    );
  await expect.poll(outcomes).toEqual(accepted.map(() => ['verified', 1]));
  await expect
    .poll(async () => JSON.stringify((await client.call('/api/media/health')).body))
    .not.toContain('REDIS_CONNECTIONS');
});

it('restarts on a server that has no room for both at once, as the old ones leave', async (test) => {
  const deployment = await deploymentOf(test);
  const [old, oldWorker] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  const one = sum(OF_API, OF_WORKER);
  await expect.poll(() => connections(deployment.redis)).toEqual(one);
  // The test has one, too.
  await deployment.redis.client.config('SET', 'maxclients', '15');
  const [next, nextWorker] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  const { status, body } = await old.client.upload(aPng());
  expect(status).toBe(202);
  await expect
    .poll(async () => JSON.stringify((await old.client.call('/api/media/health')).body))
    .toContain('REDIS_CONNECTIONS');
  await Promise.all([old.program.stop(), oldWorker.stop()]);
  await expect.poll(() => connections(deployment.redis)).toEqual(one);
  await expect.poll(async () => (await next.client.media(body.media.id)).body.status).toBe('verified');
  expect((await next.client.upload(aPng(), {}, { Prefer: 'wait=20' })).status).toBe(201);
  expect(nextWorker.log.filter(({ level }) => level === 'error')).toEqual([]);
});
