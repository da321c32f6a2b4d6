import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { createCatalog } from '@holdfast/shared/catalog';
import { connectMediaQueues } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '@holdfast/shared/media';
import {
  aRecord,
  cutClients,
  freePort,
  startManagedRedis,
  type RedisSandbox,
} from '@holdfast/shared/testing';
import { openBench, type Bench } from './support/start-worker.js';
import { spawnWorker } from './support/worker-child.js';

let bench: Bench;
// With fsync every second a verification waits most of a second for the disk: time to kill its worker meanwhile.
beforeEach(async () => {
  bench = await openBench({}, ['--appendfsync', 'everysec']);
});
afterEach(() => bench.close());

const within = { interval: 20 };
const statuses = async (records: readonly MediaRecord[]): Promise<(string | undefined)[]> =>
  (await bench.catalog.findStored(records.map(({ id }) => id))).map((one) => one?.record.status);
const enqueue = async (count: number): Promise<MediaRecord[]> => {
  const records = Array.from({ length: count }, () => aRecord());
  for (const record of records) await bench.upload(record);
  return records;
};
const verifying = async (): Promise<number> =>
  bench.sandbox.client.llen(`${bench.keys.prefix}:verify:active`);

it('S2: finishes within a minute what a killed worker had begun, without using up attempts', async () => {
  const first = spawnWorker({ ...bench.env, LOG_LEVEL: 'info' });
  const records = await enqueue(10);
  await vi.waitFor(async () => expect(await verifying()).toBeGreaterThan(0), within);
  first.process.kill('SIGKILL');
  await first.ended;
  expect(await verifying()).toBeGreaterThan(0);
  const killedAt = performance.now();
  await bench.startWorker();
  await vi.waitFor(async () => expect(await statuses(records)).toEqual(records.map(() => 'verified')), {
    interval: 100,
  });
  expect(performance.now() - killedAt).toBeLessThan(60_000);
  const found = await bench.catalog.findStored(records.map(({ id }) => id));
  expect(found.map((one) => one?.record.persistence.attempts)).toEqual(records.map(() => 1));
});

it('exits 0 on SIGTERM and hands back what it was doing, so that another worker continues at once', async () => {
  const first = spawnWorker({ ...bench.env, LOG_LEVEL: 'info', SHUTDOWN_TIMEOUT_SECONDS: '5' });
  const records = await enqueue(10);
  await vi.waitFor(async () => expect(await verifying()).toBeGreaterThan(0), within);
  first.process.kill('SIGTERM');
  expect(await first.ended).toBe(0);
  expect(await verifying()).toBe(0);
  await bench.startWorker();
  await vi.waitFor(
    async () => expect(await statuses(records)).toEqual(records.map(() => 'verified')),
    within,
  );
});

it.each([
  ['scripts', ['~*', '+@all', '-@scripting']],
  ['our keys', ['~other', '+@all']],
])('rests where its user of Redis has no right to %s, and stops when told to', async (_what, rules) => {
  await bench.sandbox.client.acl('SETUSER', 'few', 'on', 'nopass', '&*', ...rules);
  const url = new URL(bench.sandbox.url);
  url.username = 'few';
  url.password = 'any';
  const port = await freePort();
  const worker = spawnWorker({
    ...bench.env,
    REDIS_URL: url.href,
    WORKER_PORT: String(port),
    LOG_LEVEL: 'info',
  });
  await vi.waitFor(() => expect(worker.output()).toContain('worker.resting'), within);
  expect((await fetch(`http://127.0.0.1:${String(port)}/readyz`)).status).toBe(503);
  worker.process.kill('SIGTERM');
  expect(await worker.ended).toBe(0);
});

it('works where its user of Redis has no right to INFO', async () => {
  await bench.sandbox.client.acl('SETUSER', 'few', 'on', 'nopass', '~*', '&*', '+@all', '-info');
  const worker = spawnWorker({
    ...bench.env,
    REDIS_URL: bench.sandbox.url.replace('//', '//few:any@'),
    LOG_LEVEL: 'info',
  });
  const records = await enqueue(3);
  await vi.waitFor(
    async () => expect(await statuses(records)).toEqual(records.map(() => 'verified')),
    within,
  );
  expect(worker.output()).not.toContain('worker.resting');
  expect(worker.output()).not.toContain('ready check');
});

/** What a server that knows no blocking commands answers. */
const withoutBlocking = { BZPOPMIN: "-ERR unknown command 'BZPOPMIN'" };

it('does not start on a Redis that lacks what it needs, and says what', async () => {
  const redis = await startManagedRedis({ answers: withoutBlocking });
  onTestFinished(() => redis.close());
  const worker = spawnWorker({ ...bench.env, ...redis.env });
  expect(await worker.ended).toBe(1);
  expect(worker.output()).toMatch(
    /^REDIS_UNSUITABLE: Redis \d.* lacks what Holdfast needs\n {2}Blocking commands: ERR unknown/,
  );
  expect(await redis.server.client.keys('*')).toEqual([]);
});

it('says what a Redis lacks that comes later, and uses up no attempt on it', async () => {
  const redis = await startManagedRedis({ connections: { limit: 0, error: null } });
  onTestFinished(() => redis.close());
  const worker = spawnWorker({ ...bench.env, ...redis.env, LOG_LEVEL: 'info' });
  await vi.waitFor(() => expect(worker.output()).toContain('worker.started'), within);
  const unknown = (command: string) => `-ERR unknown command '${command}'`;
  const answers = { EVAL: unknown('EVAL'), EVALSHA: unknown('EVALSHA') };
  await redis.configure({ answers, connections: null });
  await vi.waitFor(() => expect(worker.output()).toContain('REDIS_UNSUITABLE'), within);
  await vi.waitFor(() => expect(worker.output()).toContain('worker.resting'), within);
  // Past the service in between, which refuses it.
  const queues = connectMediaQueues(readSettings(redis.server.env).redis, bench.settings.jobs, silentLogger);
  onTestFinished(() => queues.close());
  const record = aRecord();
  // As an acceptance leaves it: `verify` may come before `save`, and a record that is absent costs an attempt.
  await createCatalog(redis.server.client, bench.keys).save(record);
  await vi.waitFor(() => queues.enqueueUpload(record), within);
  await redis.configure({ answers: {} });
  const { verify } = queues.queues;
  await vi.waitFor(async () => expect(await verify.getJobCountByTypes('completed')).toBe(1), within);
  const job = await verify.getJob(`verify-${record.id}-1`);
  expect({ attempts: job?.attemptsMade, errors: job?.stacktrace }).toEqual({ attempts: 1, errors: [] });
});

it.each([
  ['is silent', async (redis: RedisSandbox) => redis.pause(), async (redis: RedisSandbox) => redis.resume()],
  [
    'refuses writes',
    async (redis: RedisSandbox) => {
      await redis.client.config('SET', 'maxmemory', '1');
      // It looks at once when this connection comes back. The queues have another one.
      await cutClients(redis.client, 'name=holdfast-background ');
    },
    (redis: RedisSandbox) => redis.client.config('SET', 'maxmemory', '0'),
  ],
])('is not ready while Redis %s, and ready again after it', async (_what, begin, end) => {
  const port = await freePort();
  spawnWorker({ ...bench.env, WORKER_PORT: String(port) });
  // And stays so for a second: a connection that comes again is away for a moment.
  const becomes = (status: number) => {
    let inRow = 0;
    return vi.waitFor(
      async () => {
        const answer = await fetch(`http://127.0.0.1:${String(port)}/readyz`);
        inRow = answer.status === status ? inRow + 1 : 0;
        expect({ status: answer.status, lasts: inRow > 10 }).toEqual({ status, lasts: true });
      },
      { interval: 100 },
    );
  };
  await becomes(200);
  await begin(bench.sandbox);
  await becomes(503);
  await end(bench.sandbox);
  await becomes(200);
});

it('answers for its health, and refuses to start on settings that make no sense', async () => {
  const port = await freePort();
  const worker = spawnWorker({ ...bench.env, WORKER_PORT: String(port) });
  const get = (path: string) => fetch(`http://127.0.0.1:${String(port)}${path}`);
  await vi.waitFor(async () => expect((await get('/readyz')).status).toBe(200), within);
  expect((await get('/livez')).status).toBe(200);
  const nothing = await get('/nothing');
  expect(nothing.status).toBe(404);
  expect(await nothing.json()).toMatchObject({
    code: 'NOT_FOUND',
    requestId: nothing.headers.get('x-request-id'),
  });
  const records = await enqueue(1);
  await vi.waitFor(async () => expect(await statuses(records)).toEqual(['verified']), within);
  const metrics = await (await get('/metrics')).text();
  expect(metrics).toContain('holdfast_worker_jobs_total{job="verify",outcome="done"} 1');
  expect(metrics).toMatch(/process_resident_memory_bytes \d{7}/);
  await bench.sandbox.kill();
  await vi.waitFor(async () => expect((await get('/readyz')).status).toBe(503), within);
  await bench.sandbox.restart();
  await vi.waitFor(async () => expect((await get('/readyz')).status).toBe(200), within);
  worker.process.kill('SIGTERM');
  expect(await worker.ended).toBe(0);

  const wrong = spawnWorker({ ...bench.env, SAVE_ATTEMPTS: 'many', WORKER_CONCURRENCY: '0' });
  expect(await wrong.ended).toBe(1);
  expect(wrong.output()).toContain('SAVE_ATTEMPTS');
  expect(wrong.output()).toContain('WORKER_CONCURRENCY');
  expect(wrong.output()).not.toContain('many');
});
