import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { aPng, type ApiClient, type Media } from './harness/client.js';
import { createDeployment, type Deployment } from './harness/deployment.js';
import type { Program } from './harness/program.js';

let deployment: Deployment;
let emulator: CloudinaryEmulator;
let client: ApiClient;
let api: Program;

beforeAll(async () => {
  // No sync of its own accord: what appears was brought by a notification or by the client.
  deployment = await createDeployment('cloudinary', {
    AUTO_SYNC_INTERVAL_MINUTES: '0',
    AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS: '3600',
  });
  if (deployment.emulator === null) throw new Error('no emulator');
  emulator = deployment.emulator;
  const [started, worker] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  ({ client, program: api } = started);
  // The one that greets an empty catalog.
  await worker.waitForLog((line) => line.message === 'sync.finished');
  await emulator.configure({
    webhookTargets: [`${client.url}/api/media/webhooks/cloudinary`],
    webhookRetryDelaysMs: [1_000, 3_000, 6_000],
  });
});
// Faults that a test left over would take the notifications of the next.
afterEach(() => emulator.faults.clear());
afterAll(() => deployment.close());

const byPublicId = async (publicId: string): Promise<Media | undefined> =>
  (await client.all()).find((media) => media.publicId === publicId);

/** Waits until the catalog says so about the asset with this name. */
async function becomes(publicId: string, expected: object): Promise<Media> {
  return vi.waitFor(
    async () => {
      const media = await byPublicId(publicId);
      expect(media).toMatchObject(expected);
      return media as Media;
    },
    { interval: 50 },
  );
}

const settled = (): Promise<void> =>
  vi.waitFor(
    async () => {
      expect(await emulator.webhooks.pending()).toBe(0);
      expect(await deployment.redis.client.llen('{holdfast}:save:wait')).toBe(0);
      expect(await deployment.redis.client.llen('{holdfast}:save:active')).toBe(0);
    },
    { interval: 50 },
  );

const aTom = (publicId: string) => ({ publicId, resourceType: 'image' as const, content: aPng() });

describe('changes in the Media Library', () => {
  it('arrive by notifications: new, edited, renamed and deleted assets', async () => {
    const before = (await emulator.webhooks.deliveries()).length;
    const asset = await emulator.assets.put(aTom('cats/tom'));
    const created = await becomes('cats/tom', { status: 'verified', source: 'webhook' });
    await emulator.assets.edit(asset.assetId, { tags: ['cat'] });
    await becomes('cats/tom', { tags: ['cat'], status: 'verified' });
    await emulator.assets.edit(asset.assetId, { context: { caption: 'Tom' } });
    await becomes('cats/tom', { title: 'Tom', status: 'verified' });
    await emulator.assets.rename(asset.assetId, 'cats/jerry');
    expect(await becomes('cats/jerry', { title: 'Tom' })).toMatchObject({ id: created.id });
    await emulator.assets.remove(asset.assetId);
    await becomes('cats/jerry', { status: 'missing' });
    // All of them were taken at the first try.
    await settled();
    const deliveries = (await emulator.webhooks.deliveries()).slice(before);
    expect(deliveries.length).toBeGreaterThanOrEqual(5);
    expect(deliveries.every(({ status }) => status === 200)).toBe(true);
  });

  it('arrive once, whatever happens to the notifications on their way', async () => {
    for (const kind of ['duplicate', 'reorder', 'late'] as const)
      await emulator.webhooks.addFault({ kind, count: 6, ms: 700 });
    const assets = [];
    for (let index = 0; index < 6; index += 1)
      assets.push(await emulator.assets.put(aTom(`way/${String(index)}`)));
    for (const { assetId, publicId } of assets) {
      await emulator.assets.edit(assetId, { tags: [publicId.replace('/', '-')] });
      await emulator.assets.rename(assetId, `${publicId}-renamed`);
    }
    await emulator.assets.remove(assets[0]?.assetId ?? '');
    for (const { publicId } of assets.slice(1))
      await becomes(`${publicId}-renamed`, { status: 'verified', tags: [publicId.replace('/', '-')] });
    await settled();
    const items = (await client.all()).filter(({ publicId }) => publicId.startsWith('way/'));
    expect(items.filter(({ status }) => status === 'verified')).toHaveLength(5);
    expect(items.length).toBeLessThanOrEqual(6);
    // A full sync agrees with what the notifications reported.
    expect((await client.sync()).body).toMatchObject({ created: 0, updated: 0, restored: 0, errors: 0 });
  });

  it('arrive even when the API was dead as they were sent', async () => {
    await api.kill();
    await emulator.assets.put(aTom('dead/tom'));
    await vi.waitFor(async () => expect((await emulator.webhooks.deliveries()).at(-1)?.status).toBe(0));
    // In the old place, where the host tries again.
    ({ program: api } = await deployment.startApi({ PORT: new URL(client.url).port }));
    await becomes('dead/tom', { status: 'verified', source: 'webhook' });
  });
});

interface Ticket {
  id: string;
  url: string;
  fields: Record<string, string>;
}

async function sendDirectly(words: object, data = aPng()): Promise<Ticket> {
  const { status, body } = await client.call<Ticket>('/api/media/uploads/sign', {
    method: 'POST',
    body: JSON.stringify(words),
    headers: { 'Content-Type': 'application/json' },
  });
  expect(status).toBe(200);
  const form = new FormData();
  for (const [name, value] of Object.entries(body.fields)) form.set(name, value);
  form.set('file', new Blob([new Uint8Array(data)]), 'blob');
  expect((await fetch(body.url, { method: 'POST', body: form })).status).toBe(200);
  return body;
}

const complete = (id: string) =>
  client.call<{ media: Media; code?: string }>(`/api/media/uploads/${id}/complete`, {
    method: 'POST',
    headers: { Prefer: 'wait=15' },
  });

describe('a direct upload', () => {
  it('is verified by the time that its client has waited, while the notification races with it', async () => {
    const tickets = await Promise.all(
      Array.from({ length: 8 }, (_, n) => sendDirectly({ title: `t${String(n)}` })),
    );
    const answers = await Promise.all(tickets.map(({ id }) => complete(id)));
    expect(answers.map(({ status, body }) => body.code ?? status)).toEqual(tickets.map(() => 201));
    for (const [index, { body }] of answers.entries())
      expect(body.media).toMatchObject({ id: tickets[index]?.id, status: 'verified', source: 'direct' });
    await settled();
    const ids = new Set(tickets.map(({ id }) => id));
    expect((await client.all()).filter(({ id }) => ids.has(id))).toHaveLength(8);
    const again = await complete(tickets[0]?.id ?? '');
    expect(again.status).toBe(201);
    expect(again.body.media).toMatchObject({ id: tickets[0]?.id, revision: 1, status: 'verified' });
  });

  it('appears with the notification when its client never completes it', async () => {
    const { id } = await sendDirectly({ title: 'silent', tags: ['a'] });
    const media = await becomes(`holdfast/${id}`, {
      id,
      status: 'verified',
      source: 'direct',
      title: 'silent',
    });
    expect((await complete(id)).body.media).toEqual(media);
  });

  it('appears with the next sync when no notification comes either, also after Redis was wiped', async () => {
    await emulator.webhooks.addFault({ kind: 'drop', count: null });
    const { id } = await sendDirectly({ title: 'unheard' });
    await deployment.redis.client.flushall();
    expect((await client.sync('full')).body).toMatchObject({ result: 'ok', errors: 0 });
    await becomes(`holdfast/${id}`, { id, status: 'verified', title: 'unheard' });
    expect((await client.all()).filter((media) => media.id === id)).toHaveLength(1);
  });
});
