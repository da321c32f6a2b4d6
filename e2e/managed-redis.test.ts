import { setTimeout as pause } from 'node:timers/promises';
import {
  managedServices,
  startManagedRedis,
  upstashErrors,
  type ManagedRedis,
  type ManagedService,
} from '@holdfast/shared/testing';
import { describe, expect, it, vi, type TestContext } from 'vitest';
import { audit } from './harness/audit.js';
import { aPng, type ApiClient } from './harness/client.js';
import { coreSuite, type CoreExpectations } from './harness/core-suite.js';
import { createDeploymentOn, type Deployment } from './harness/deployment.js';
import { startUploads, type UploadLoad } from './harness/upload-load.js';

interface Rented extends CoreExpectations {
  what: string;
  service: Partial<ManagedService>;
}

describe.each<Rented>([
  {
    what: 'Upstash, free',
    service: managedServices.upstashFree,
    storageType: 'Upstash Redis',
    level: 'fsynced',
    findings: ['UNKNOWN_PERSISTENCE', 'REDIS_LIMITED'],
  },
  {
    what: 'Upstash, paid and global, whose reads are behind, from 30 ms away',
    service: managedServices.upstashGlobal,
    storageType: 'Upstash Redis',
    level: 'fsynced',
    findings: ['UNKNOWN_PERSISTENCE', 'REDIS_LIMITED'],
  },
  {
    what: 'Redis Cloud, with the 30 connections of its free plan',
    service: managedServices.redisCloud,
    storageType: 'Redis',
    level: 'fsynced',
    findings: ['UNKNOWN_PERSISTENCE'],
  },
  {
    what: 'Azure',
    service: managedServices.azure,
    storageType: 'Redis',
    level: 'fsynced',
    findings: ['UNKNOWN_PERSISTENCE'],
  },
  {
    what: 'ElastiCache, from 30 ms away',
    service: { ...managedServices.elastiCache, latencyMs: 30 },
    storageType: 'Redis',
    level: 'written',
    findings: ['UNKNOWN_PERSISTENCE', 'REDIS_LIMITED'],
  },
])('S21: serves on $what', ({ service, ...expected }) => {
  coreSuite(() => startManagedRedis(service), expected);
});

// They mostly wait, so they wait together.
const within = { interval: 50 };
const spent = { left: 0, error: upstashErrors.quota };

async function rented(context: TestContext): Promise<Deployment<ManagedRedis>> {
  const redis = await startManagedRedis(managedServices.upstashFree);
  const deployment = await createDeploymentOn(redis, 'cloudinary');
  context.onTestFinished(() => deployment.close());
  return deployment;
}

/** The one finding of an error, once it is there, and what health says with it. */
const finds = (client: ApiClient, code: string): Promise<void> =>
  vi.waitFor(async () => {
    const { status, body } = await client.call<{
      storage: { findings: { code: string; severity: string }[] };
    }>('/api/media/health');
    const errors = body.storage.findings.filter(({ severity }) => severity === 'error');
    expect({ status, errors: errors.map((finding) => finding.code) }).toEqual({
      status: 503,
      errors: [code],
    });
  }, within);

const acknowledges = (load: UploadLoad, more: number): Promise<void> => {
  const before = load.acknowledged.length;
  return vi.waitFor(() => expect(load.acknowledged.length).toBeGreaterThanOrEqual(before + more), within);
};

/** Until `count` uploads were refused; all of them in the right words, and with a time to come again. */
async function refuses(load: UploadLoad, count: number): Promise<void> {
  const refused = () => load.answers.filter(({ media }) => media === null);
  await vi.waitFor(() => expect(refused().length).toBeGreaterThanOrEqual(count), within);
  for (const { status, code, retryAfter } of refused()) {
    expect({ status, code }).toEqual({ status: 503, code: 'QUEUE_UNAVAILABLE' });
    expect(Number(retryAfter)).toBeGreaterThan(0);
  }
}

/** Commands a second of the whole deployment without requests. The last tries of jobs that were running count, too. */
async function restsAt(redis: ManagedRedis, perSecond = 10): Promise<void> {
  const SECONDS = 10;
  redis.resetCounts();
  // The time itself is measured.
  await pause(SECONDS * 1_000);
  expect(redis.commands() / SECONDS, JSON.stringify(redis.counts())).toBeLessThan(perSecond);
}

/** An upload is taken once every connection is back, as clients that come again find, and verified. */
async function verifies(client: ApiClient): Promise<void> {
  const id = await vi.waitFor(async () => {
    const { status, body } = await client.upload(aPng());
    expect({ status, code: body.code }).toEqual({ status: 202, code: undefined });
    return body.media.id;
  }, within);
  await vi.waitFor(async () => expect((await client.media(id)).body.status).toBe('verified'), within);
}

it.concurrent(
  'S21: rests while its quota is spent, and loses nothing of what it acknowledged',
  async (context) => {
    const deployment = await rented(context);
    const { redis } = deployment;
    const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
    const load = startUploads(() => client);
    await acknowledges(load, 20);
    // It ends in the middle of uploads, of jobs and of transactions.
    await redis.configure({ quota: { ...spent, left: 57 } });
    await refuses(load, 20);
    await load.stop();
    // On a busy machine uploads may have been refused because Redis was slow, with some of the quota left.
    await redis.configure({ quota: spent });
    expect(await client.list()).toMatchObject({ status: 503, body: { code: 'CATALOG_UNAVAILABLE' } });
    await finds(client, 'REDIS_QUOTA');
    await restsAt(redis);
    await redis.configure({ quota: null });
    await audit(deployment, client, load.acknowledged);
    await verifies(client);
  },
);

// Before workers rested, one that started so sent 28,500 scripts in 5 s.
it.concurrent.for([
  { what: 'INFO and the like are served', quota: spent, perSecond: 10 },
  // Ten connections, none of which gets ready: each tries less than once a second, with four commands.
  { what: 'only logins are served', quota: { ...spent, free: ['AUTH', 'HELLO'] }, perSecond: 40 },
])(
  'S21: starts while the quota is spent, rests, and serves when it is given back, where $what',
  async ({ quota, perSecond }, context) => {
    const deployment = await rented(context);
    const { redis } = deployment;
    await redis.configure({ quota });
    const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
    const { status, body } = await client.upload(aPng());
    expect({ status, code: body.code }).toEqual({ status: 503, code: 'QUEUE_UNAVAILABLE' });
    expect((await client.call('/readyz')).status).toBe(503);
    await finds(client, 'REDIS_QUOTA');
    await restsAt(redis, perSecond);
    await redis.configure({ quota: null });
    await vi.waitFor(async () => expect((await client.call('/readyz')).status).toBe(200), within);
    await verifies(client);
  },
);

it.concurrent(
  'S21: refuses while the database is full, still reads, and continues when there is room',
  async (context) => {
    const deployment = await rented(context);
    const { redis } = deployment;
    const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
    const load = startUploads(() => client, 2);
    await acknowledges(load, 10);
    await redis.configure({ full: upstashErrors.full });
    await refuses(load, 10);
    await load.stop();
    await finds(client, 'REDIS_FULL');
    expect((await client.media(load.acknowledged[0]?.id ?? '')).status).toBe(200);
    await restsAt(redis);
    await redis.configure({ full: null });
    await audit(deployment, client, load.acknowledged);
    await verifies(client);
  },
);

it.concurrent(
  'S21: says that there are too many connections in a rolling restart, and serves once the old processes are gone',
  async (context) => {
    const deployment = await rented(context);
    const { redis } = deployment;
    const [old, oldWorker] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
    await verifies(old.client);
    const limit = redis.connections().open;
    await redis.configure({ connections: { limit, error: upstashErrors.connections } });
    const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
    expect(await client.upload(aPng())).toMatchObject({ status: 503, body: { code: 'QUEUE_UNAVAILABLE' } });
    await finds(client, 'REDIS_CONNECTIONS');
    await verifies(old.client);
    expect(await Promise.all([old.program.stop(), oldWorker.stop()])).toEqual([0, 0]);
    await vi.waitFor(async () => expect((await client.call('/readyz')).status).toBe(200), within);
    await verifies(client);
  },
);

it.concurrent('S21: serves again after all its idle connections were cut', async (context) => {
  const deployment = await rented(context);
  const { redis } = deployment;
  const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  const { open } = redis.connections();
  redis.resetCounts();
  await redis.configure({ idleMs: 300 });
  await vi.waitFor(() => expect(redis.connections().opened).toBeGreaterThan(2 * open), within);
  await redis.configure({ idleMs: 0 });
  await vi.waitFor(async () => expect((await client.call('/readyz')).status).toBe(200), within);
  await verifies(client);
});
