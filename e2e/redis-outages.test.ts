import { setTimeout as pause } from 'node:timers/promises';
import { startFaultProxy } from '@holdfast/shared/testing';
import { expect, it, vi } from 'vitest';
import { audit } from './harness/audit.js';
import { aPng, type Answer } from './harness/client.js';
import { deploymentOf } from './harness/deployment.js';
import { startUploads } from './harness/upload-load.js';

// They mostly wait, so they wait together.
const within = { interval: 50 };

/** The answer, and how long it took. */
async function timed<T>(call: Promise<Answer<T>>): Promise<Answer<T> & { ms: number }> {
  const startedAt = performance.now();
  return { ...(await call), ms: performance.now() - startedAt };
}

it.concurrent.for(['always', 'everysec'])(
  'S4: answers fast and loses nothing when redis-server is killed under uploads (appendfsync %s)',
  async (policy, context) => {
    const deployment = await deploymentOf(context, 'cloudinary', {}, ['--appendfsync', policy]);
    const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
    const load = startUploads(() => client);
    const acknowledges = (more: number): Promise<void> => {
      const before = load.acknowledged.length;
      return vi.waitFor(() => expect(load.acknowledged.length).toBeGreaterThanOrEqual(before + more), within);
    };
    await acknowledges(20);
    await deployment.redis.kill();
    const firstDuring = load.answers.length;
    // The outage itself: longer than any request waits, and than the pauses between attempts to connect.
    await pause(5_000);
    const during = load.answers.slice(firstDuring);
    await deployment.redis.restart();
    await acknowledges(20);
    await load.stop();
    const refused = during.filter(({ media }) => media === null);
    expect(refused.length).toBeGreaterThan(20);
    expect(new Set(refused.map(({ status, code }) => `${String(status)} ${String(code)}`))).toEqual(
      new Set(['503 QUEUE_UNAVAILABLE']),
    );
    expect(Math.max(...during.map(({ ms }) => ms))).toBeLessThan(2_000);
    await audit(deployment, client, load.acknowledged, 90_000);
  },
);

it.concurrent(
  'S5: refuses within a second while Redis is down, and the host is not called',
  async (context) => {
    const deployment = await deploymentOf(context);
    const { client } = await deployment.startApi();
    await vi.waitFor(async () => expect((await client.call('/readyz')).status).toBe(200), within);
    await deployment.redis.kill();
    const before = await deployment.emulator?.requests.counters();
    for (const bytes of [2_000, 600_000]) {
      const { status, headers, body, ms } = await timed(client.upload(aPng(bytes)));
      expect({ status, code: body.code }).toEqual({ status: 503, code: 'QUEUE_UNAVAILABLE' });
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      // Within a second, and what a busy machine adds.
      expect(ms).toBeLessThan(1_500);
    }
    expect(await deployment.emulator?.requests.counters()).toEqual(before);
  },
);

it.concurrent.for([
  { what: 'Redis comes back', apiDies: false, emptied: false },
  { what: 'the API is killed before Redis comes back', apiDies: true, emptied: false },
  { what: 'the API is killed and Redis comes back empty', apiDies: true, emptied: true },
])(
  'S6: catalogues what was deferred when Redis died after the host had it, and $what',
  async ({ apiDies, emptied }, context) => {
    const deployment = await deploymentOf(context);
    const { program, client } = await deployment.startApi({ HOLDFAST_FAILPOINT: 'upload.committed:stop' });
    const worker = await deployment.startWorker();
    // The one that greets an empty catalog.
    await worker.waitForLog((line) => line.message === 'sync.finished');
    const data = aPng();
    const uploading = client.upload(data, { title: 'deferred' });
    await program.waitForStop('FP upload.committed');
    await deployment.redis.kill();
    program.signal('SIGCONT');
    const { status, body } = await uploading;
    expect({ status, media: body.media.status }).toEqual({ status: 202, media: 'deferred' });
    if (apiDies) await program.kill();
    await deployment.redis.restart();
    if (emptied) await deployment.redis.wipe();
    const after = apiDies ? (await deployment.startApi()).client : client;
    await audit(deployment, after, [{ id: body.media.id, data, title: 'deferred' }], 90_000);
  },
);

it.concurrent(
  'S7: waits quietly for a Redis that is away for long, reports it, and resumes its schedule without a restart',
  async (context) => {
    const deployment = await deploymentOf(context, 'cloudinary', {
      AUTO_SYNC_INTERVAL_MINUTES: '1',
      AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS: '3600',
    });
    const [{ client, program }, worker] = await Promise.all([
      deployment.startApi(),
      deployment.startWorker(),
    ]);
    await worker.waitForLog((line) => line.message === 'sync.finished');
    await deployment.redis.kill();
    const lines = (): number => program.raw.length + worker.raw.length;
    const before = lines();
    // The outage itself, in short for ten minutes: that nothing is said in it has no event.
    await pause(30_000);
    expect(lines() - before).toBeLessThan(20);
    expect((await client.call('/readyz')).status).toBe(503);
    expect(await client.call('/api/media/health')).toMatchObject({
      status: 503,
      body: { status: 'unhealthy' },
    });
    await deployment.redis.restart();
    const back = new Date().toISOString();
    await vi.waitFor(
      async () => {
        const { body } = await client.call<{ lastRun: { trigger: string; startedAt: string } }>(
          '/api/media/sync/status',
        );
        expect(body.lastRun).toMatchObject({ trigger: 'schedule' });
        expect(body.lastRun.startedAt > back).toBe(true);
      },
      { ...within, timeout: 100_000 },
    );
    const { status, body } = await client.upload(aPng(), {}, { Prefer: 'wait=20' });
    expect({ status, media: body.media.status }).toEqual({ status: 201, media: 'verified' });
    expect([program.pid, worker.pid].map(isAlive)).toEqual([true, true]);
  },
);

it.concurrent(
  'S8: answers within a second while Redis is paused or too slow, and does nothing twice that had timed out',
  async (context) => {
    const { redis, ...deployment } = await deploymentOf(context);
    const link = await startFaultProxy(redis.port);
    context.onTestFinished(() => link.close());
    const slow = { REDIS_URL: `redis://127.0.0.1:${String(link.port)}` };
    const [{ client }] = await Promise.all([deployment.startApi(slow), deployment.startWorker(slow)]);
    const acknowledged: { id: string; data: Buffer }[] = [];
    const uploadAll = async () => {
      const files = Array.from({ length: 8 }, (_, index) => aPng(index % 2 === 0 ? 2_000 : 400_000));
      const answers = await Promise.all(files.map((data) => timed(client.upload(data))));
      for (const [index, { status, body }] of answers.entries())
        if (status === 202) acknowledged.push({ id: body.media.id, data: files[index] ?? Buffer.alloc(0) });
      return answers;
    };
    const statuses = (answers: readonly { status: number }[]) => new Set(answers.map(({ status }) => status));
    expect(statuses(await uploadAll())).toEqual(new Set([202]));

    link.set({ kind: 'delay', ms: 50 });
    expect(statuses(await uploadAll())).toEqual(new Set([202]));
    // Everything times out, and everything is done all the same.
    link.set({ kind: 'delay', ms: 400 });
    const tooSlow = await uploadAll();
    link.set({ kind: 'pass' });
    expect(statuses(tooSlow)).toEqual(new Set([503]));

    redis.pause();
    const paused = await uploadAll();
    // The pause itself: longer than any command may take.
    await pause(6_000);
    redis.resume();
    expect(statuses(paused)).toEqual(new Set([503]));
    expect(Math.max(...[...tooSlow, ...paused].map(({ ms }) => ms))).toBeLessThan(1_500);
    await vi.waitFor(async () => expect((await client.call('/readyz')).status).toBe(200), within);
    await uploadAll();
    const items = await audit({ redis, ...deployment }, client, acknowledged, 90_000);
    expect(items.map(({ id }) => id).toSorted()).toEqual(acknowledged.map(({ id }) => id).toSorted());
  },
);

it.concurrent(
  'S10: refuses while Redis is full, still reads, and verifies everything in one attempt when there is room',
  async (context) => {
    const deployment = await deploymentOf(context);
    const { client } = await deployment.startApi();
    const { client: redis } = deployment.redis;
    const acknowledged = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const data = aPng();
        const { status, body } = await client.upload(data);
        expect(status).toBe(202);
        return { id: body.media.id, data };
      }),
    );
    await redis.config('SET', 'maxmemory', '1');
    await deployment.startWorker();
    const { status, headers, ms } = await timed(client.upload(aPng()));
    expect(status).toBe(503);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(ms).toBeLessThan(1_500);
    expect((await client.media(acknowledged[0]?.id ?? '')).status).toBe(200);
    const refusals = async () =>
      Number(/errorstat_OOM:count=(\d+)/.exec(await redis.info('errorstats'))?.[1] ?? 0);
    const before = await refusals();
    // The workers have asked again, and were refused again.
    await vi.waitFor(async () => expect(await refusals()).toBeGreaterThan(before + 3), within);
    await redis.config('SET', 'maxmemory', '0');
    const items = await audit(deployment, client, acknowledged);
    expect(items.map(({ persistence }) => persistence.attempts)).toEqual(items.map(() => 1));
  },
);

it.concurrent(
  'S12: refuses while its only server is demoted, and continues when it is master again',
  async (context) => {
    const deployment = await deploymentOf(context);
    const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
    const load = startUploads(() => client, 2);
    await vi.waitFor(() => expect(load.acknowledged.length).toBeGreaterThan(10), within);
    await deployment.redis.client.call('REPLICAOF', '127.0.0.1', '1');
    await vi.waitFor(
      () => expect(load.answers.filter(({ status }) => status === 503).length).toBeGreaterThan(10),
      within,
    );
    await deployment.redis.client.call('REPLICAOF', 'NO', 'ONE');
    const before = load.acknowledged.length;
    await vi.waitFor(() => expect(load.acknowledged.length).toBeGreaterThan(before + 10), within);
    await load.stop();
    expect(new Set(load.answers.map(({ status }) => status))).toEqual(new Set([202, 503]));
    await audit(deployment, client, load.acknowledged, 90_000);
  },
);

// Alone: one write that waits for a busy disk would be a refusal.
it('S14: continues when the server loses its scripts and others fill their cache', async (context) => {
  const deployment = await deploymentOf(context);
  const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  const { client: redis } = deployment.redis;
  const load = startUploads(() => client);
  const more = (count: number): Promise<void> => {
    const before = load.acknowledged.length;
    return vi.waitFor(() => expect(load.acknowledged.length).toBeGreaterThan(before + count), within);
  };
  await more(10);
  await redis.script('FLUSH');
  await more(20);
  for (let number = 0; number < 700; number += 1) await redis.eval(`return ${String(number)}`, 0);
  await more(20);
  await load.stop();
  expect(new Set(load.answers.map(({ status }) => status))).toEqual(new Set([202]));
  await audit(deployment, client, load.acknowledged);
  // Half a pair of jobs would wait there for ever.
  expect(await redis.zcard('{holdfast}:verify:waiting-children')).toBe(0);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
