import { expect, it, vi } from 'vitest';
import { audit } from './harness/audit.js';
import { aPng } from './harness/client.js';
import { deploymentOf } from './harness/deployment.js';
import { startUploads } from './harness/upload-load.js';

const within = { interval: 50 };

it('S13: brings everything back under the same ids when Redis is emptied under uploads, and nothing that was deleted', async (context) => {
  const deployment = await deploymentOf(context);
  const { client: redis } = deployment.redis;
  const [{ client }, worker] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  await worker.waitForLog((line) => line.message === 'sync.finished');
  const keyed = (data: Buffer) => client.upload(data, { title: 'keyed' }, { 'Idempotency-Key': 'one' });
  const [kept, deleted] = [aPng(), aPng()];
  const { id } = (await keyed(kept)).body.media;
  const gone = (await client.upload(deleted, {}, { Prefer: 'wait=20' })).body.media.id;
  expect((await client.call(`/api/media/${gone}`, { method: 'DELETE' })).status).toBe(202);

  const load = startUploads(() => client);
  const more = (count: number): Promise<void> => {
    const before = load.acknowledged.length;
    return vi.waitFor(() => expect(load.acknowledged.length).toBeGreaterThan(before + count), within);
  };
  await more(20);
  await redis.flushall();
  await more(20);
  await load.stop();
  expect([202, 503]).toEqual(expect.arrayContaining([...new Set(load.answers.map(({ status }) => status))]));

  const items = await audit(
    deployment,
    client,
    [...load.acknowledged, { id, data: kept, title: 'keyed' }],
    90_000,
  );
  expect(items).toHaveLength(load.acknowledged.length + 1);
  // 503 until the recovery has run: until then nobody can say what there was, or which keys were used.
  const known = <T extends { status: number }>(ask: () => Promise<T>): Promise<T> =>
    vi.waitFor(async () => {
      const answer = await ask();
      expect(answer.status).not.toBe(503);
      return answer;
    }, within);
  // The host has a note of the deletion, which the recovery reads first.
  expect((await known(() => client.media(gone))).status).toBe(404);
  // The schedule and the limits of the queues were in Redis too. The watch of a worker sets them, once it looks.
  await vi.waitFor(async () => {
    expect(await redis.zcard('{holdfast}:sync:repeat')).toBe(1);
    expect(await redis.hget('{holdfast}:save:meta', 'opts.maxLenEvents')).toBe('100');
  }, within);
  const again = await known(() => keyed(kept));
  expect([again.body.media.id, again.headers.get('idempotent-replayed')]).toEqual([id, 'true']);
});

it('never treats a worker that refills an emptied Redis as dead, and reports when it is killed', async (context) => {
  const deployment = await deploymentOf(context);
  const [{ client }, worker] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  await worker.waitForLog((line) => line.message === 'sync.finished');
  const { id } = (await client.upload(aPng(), {}, { Prefer: 'wait=20' })).body.media;
  interface Health {
    queues: { workers: number | null };
    storage: { findings: { code: string }[] };
  }
  const seen: Health[] = [];
  const look = async (): Promise<Health> => {
    const { body } = await client.call<Health>('/api/media/health');
    seen.push(body);
    return body;
  };
  const toldOf = ({ storage }: Health): boolean => storage.findings.some(({ code }) => code === 'NO_WORKER');
  await vi.waitFor(async () => expect((await look()).queues.workers).toBe(1), within);
  seen.length = 0;
  await deployment.redis.client.flushall();
  await vi.waitFor(async () => {
    await look();
    expect(await deployment.redis.client.exists('{holdfast}:workers')).toBe(1);
    expect((await client.media(id)).status).toBe(200);
  }, within);
  expect(seen.filter(toldOf)).toEqual([]);
  expect(seen.length).toBeGreaterThan(3);
  await worker.kill();
  await vi.waitFor(async () => expect(toldOf(await look())).toBe(true), within);
});
