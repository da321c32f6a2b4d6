import { startFaultProxy, startSentinelSandbox, type FaultProxy } from '@holdfast/shared/testing';
import { Redis } from 'ioredis';
import { expect, it, vi } from 'vitest';
import { audit, type Acknowledged } from './harness/audit.js';
import { aPng, type ApiClient } from './harness/client.js';
import { createDeploymentOn } from './harness/deployment.js';

const within = { interval: 100 };

async function uploads(client: ApiClient, count: number): Promise<Acknowledged[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const data = aPng();
      const { status, body } = await client.upload(data);
      expect(status).toBe(202);
      return { id: body.media.id, data };
    }),
  );
}

async function verifiedLevels(client: ApiClient, media: readonly Acknowledged[]): Promise<(string | null)[]> {
  return vi.waitFor(async () => {
    const found = await Promise.all(media.map(async ({ id }) => (await client.media(id)).body));
    expect(found.map(({ status }) => status)).toEqual(media.map(() => 'verified'));
    return found.map(({ persistence }) => persistence.level);
  }, within);
}

it('S12: never calls replicated what only an isolated old master has, and gets it back after the partition', async ({
  onTestFinished,
}) => {
  let link: FaultProxy | undefined;
  let oldPort = 0;
  const servers = await startSentinelSandbox({
    linkTo: async (port) => {
      oldPort = port;
      link = await startFaultProxy(port);
      return link.port;
    },
  });
  const deployment = await createDeploymentOn(servers, 'cloudinary', {
    AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS: '3600',
    AUTO_SYNC_INTERVAL_MINUTES: '0',
  });
  onTestFinished(async () => {
    await deployment.close();
    await link?.close();
  });
  const old = new Redis(oldPort, { maxRetriesPerRequest: null });
  onTestFinished(() => old.disconnect());

  // One side of the coming partition: a process that stays with the old master, since it cannot learn of another one.
  const isolated = {
    REDIS_URL: `redis://127.0.0.1:${String(oldPort)}`,
    REDIS_SENTINELS: '',
    REDIS_SENTINEL_NAME: '',
    DURABILITY_REPLICAS: '1',
  };
  const { client, program } = await deployment.startApi(isolated);
  const worker = await deployment.startWorker(isolated);
  // Both runs that greet an empty catalog: until they have ended, on the new master too, what is unknown may yet come back. The second
  // would wait for half a minute.
  await vi.waitFor(async () => {
    await client.call('/admin/queues/api/queues/sync/promote', { method: 'PUT' });
    const ended = worker.log.filter(({ message }) => message === 'sync.finished');
    expect(ended.map(({ trigger }) => trigger)).toEqual(['recovery', 'startup']);
  }, within);
  const before = await uploads(client, 5);
  expect(await verifiedLevels(client, before)).toEqual(before.map(() => 'replicated'));

  const linkPort = link?.port;
  link?.set({ kind: 'refuse' });
  await vi.waitFor(async () => expect(await servers.masterPort()).not.toBe(linkPort), within);

  // The old master still takes writes and gives them back: reading back alone would prove nothing.
  const during = await uploads(client, 5);
  expect(await old.info('replication')).toMatch(/role:master[^]*connected_slaves:0/);
  expect(await verifiedLevels(client, during)).toEqual(during.map(() => 'fsynced'));
  expect(await client.call('/api/media/health')).toMatchObject({
    body: { persistence: { level: expect.stringMatching(/^(written|fsynced)$/) } },
  });

  // With `replicated` required, nothing becomes `verified` here.
  expect(await worker.stop()).toBe(0);
  const strict = await deployment.startWorker({ ...isolated, DURABILITY_REQUIRED: 'replicated' });
  const refused = await uploads(client, 1);
  const attempted = await vi.waitFor(async () => {
    const { body } = await client.media(refused[0]?.id ?? '');
    expect(body.persistence.attempts).toBeGreaterThan(0);
    return body;
  }, within);
  expect(attempted).toMatchObject({ status: 'saving', persistence: { level: null } });

  await Promise.all([program.kill(), strict.kill()]);
  link?.set({ kind: 'pass' });
  await vi.waitFor(
    async () => expect(await old.info('replication')).toMatch(/role:slave[^]*link_status:up/),
    within,
  );

  const healed = await deployment.startApi();
  await deployment.startWorker();
  // What was replicated is there before any sync; what only the old master had went with its demotion.
  expect(await verifiedLevels(healed.client, before)).toEqual(before.map(() => 'replicated'));
  for (const { id } of [...during, ...refused])
    expect(await healed.client.media(id)).toMatchObject({ status: 404, body: { code: 'MEDIA_NOT_FOUND' } });
  expect(await healed.client.sync('full')).toMatchObject({ status: 200, body: { result: 'ok' } });
  await audit(deployment, healed.client, [...before, ...during, ...refused]);
});
