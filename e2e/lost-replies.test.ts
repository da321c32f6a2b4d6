import { startFaultProxy } from '@holdfast/shared/testing';
import { expect, it, vi } from 'vitest';
import { audit, type Acknowledged } from './harness/audit.js';
import { aPng } from './harness/client.js';
import { deploymentOf } from './harness/deployment.js';

const within = { interval: 20 };
/** More replies than an upload waits for. */
const MOST = 12;

it.concurrent(
  'S9: counts nothing twice when each reply of Redis to an upload is lost in turn',
  async (context) => {
    const deployment = await deploymentOf(context);
    const link = await startFaultProxy(deployment.redis.port);
    context.onTestFinished(() => link.close());
    const [{ client }] = await Promise.all([
      deployment.startApi({ REDIS_URL: `redis://127.0.0.1:${String(link.port)}` }),
      deployment.startWorker(),
    ]);
    const tries: { key: string; data: Buffer; id: string | null }[] = [];
    const upload = (data: Buffer, key: string) =>
      client.upload(data, { tags: 'lost' }, { 'Idempotency-Key': key });
    const lost: number[] = [];
    for (const bytes of [2_000, 300_000]) {
      for (let nth = 1; nth <= MOST; nth += 1) {
        const [data, key] = [aPng(bytes), `${String(bytes)}-${String(nth)}`];
        link.set({ kind: 'lose-reply', nth });
        const before = link.dropped();
        // A connection that is not back yet refuses before there is a reply to lose.
        const { status, body } = await vi.waitFor(async () => {
          const answer = await upload(data, key);
          expect(answer.status === 202 || link.dropped() > before).toBe(true);
          return answer;
        }, within);
        if (link.dropped() > before) lost.push(nth);
        link.set({ kind: 'pass' });
        expect([202, 503], JSON.stringify(body)).toContain(status);
        tries.push({ key, data, id: status === 202 ? body.media.id : null });
      }
    }
    // As careful clients do it: again with the same key, until they get an answer.
    const acknowledged = await Promise.all(
      tries.map(async ({ key, data, id }): Promise<Acknowledged> => {
        const again = await vi.waitFor(
          async () => {
            const answer = await upload(data, key);
            expect(answer.status).toBe(202);
            return answer.body.media.id;
          },
          { interval: 500 },
        );
        expect(again).toBe(id ?? again);
        return { id: again, data };
      }),
    );
    // Several steps were hit, and the last one was behind all of them.
    expect(new Set(lost).size).toBeGreaterThan(1);
    expect(lost).not.toContain(MOST);
    const items = await audit(deployment, client, acknowledged, 90_000);
    expect(items).toHaveLength(acknowledged.length);
    // Indexes and counts are those of the records.
    for (const query of ['', '&type=image', '&tag=lost', '&status=verified']) {
      const { body } = await client.list(`?limit=100${query}`);
      expect([body.items.length, body.total]).toEqual([items.length, items.length]);
    }
  },
);

it.concurrent('S9: verifies everything when replies of Redis to the worker are lost', async (context) => {
  const deployment = await deploymentOf(context);
  const link = await startFaultProxy(deployment.redis.port);
  context.onTestFinished(() => link.close());
  const [{ client }] = await Promise.all([
    deployment.startApi(),
    deployment.startWorker({ REDIS_URL: `redis://127.0.0.1:${String(link.port)}` }),
  ]);
  const acknowledged: Acknowledged[] = [];
  for (let nth = 1; nth <= 16; nth += 1) {
    const before = link.dropped();
    link.set({ kind: 'lose-reply', nth });
    const data = aPng();
    const { status, body } = await client.upload(data);
    expect(status).toBe(202);
    acknowledged.push({ id: body.media.id, data });
    await vi.waitFor(() => expect(link.dropped()).toBeGreaterThan(before), { interval: 5 });
  }
  link.set({ kind: 'pass' });
  const items = await audit(deployment, client, acknowledged, 90_000);
  expect(items).toHaveLength(acknowledged.length);
  expect(items.map(({ lastError }) => lastError)).toEqual(items.map(() => null));
});
