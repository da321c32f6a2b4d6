import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import type { CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { aPng, type ApiClient, type Media } from './harness/client.js';
import { createDeployment, type Deployment } from './harness/deployment.js';
import type { Program } from './harness/program.js';

let deployment: Deployment;
let emulator: CloudinaryEmulator;
let near: ApiClient;
let far: ApiClient;
const workers: Program[] = [];

beforeAll(async () => {
  deployment = await createDeployment('cloudinary', {
    AUTO_SYNC_INTERVAL_MINUTES: '0',
    AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS: '3600',
    CATALOG_SNAPSHOT: 'false',
  });
  if (deployment.emulator === null) throw new Error('no emulator');
  emulator = deployment.emulator;
  near = (await deployment.startApi()).client;
  far = (await deployment.startApi()).client;
});
afterAll(() => deployment.close());

/** Every event of a file as it comes; `ended` once the server has ended the stream. */
async function follow(client: ApiClient, id: string) {
  const leaving = new AbortController();
  onTestFinished(() => leaving.abort());
  const response = await fetch(`${client.url}/api/media/${id}/events`, { signal: leaving.signal });
  const events: { event: string; data: Media }[] = [];
  const read = async (): Promise<void> => {
    let text = '';
    for await (const piece of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      text += piece;
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const event = /^event: (.*)$/m.exec(block)?.[1];
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (event !== undefined) events.push({ event, data: JSON.parse(data ?? 'null') as Media });
      }
    }
  };
  const ended = read();
  ended.catch(() => undefined);
  const reaches = (status: string): Promise<void> =>
    vi.waitFor(() => expect(events.at(-1)?.data.status).toBe(status), { interval: 20 });
  return { events, ended, reaches };
}

it('tells who follows a file through one API what workers and another API make of it', async () => {
  const { media } = (await near.upload(aPng())).body;
  const { events, ended, reaches } = await follow(far, media.id);
  await reaches('saving');
  workers.push(await deployment.startWorker());
  await reaches('verified');
  expect(events.at(-1)?.data).toEqual((await near.media(media.id)).body);
  await near.call(`/api/media/${media.id}`, {
    method: 'PATCH',
    body: JSON.stringify({ title: 'Edited' }),
    headers: { 'Content-Type': 'application/json' },
  });
  await vi.waitFor(
    () => expect(events.at(-1)?.data).toMatchObject({ status: 'verified', revision: 2, title: 'Edited' }),
    { interval: 20 },
  );
  await emulator.assets.remove(media.assetId);
  expect((await near.sync()).body).toMatchObject({ result: 'ok', missing: 1 });
  await reaches('missing');
  const drift = await far.call<{ items: object[] }>('/api/media/sync/drift');
  expect(drift.body.items).toMatchObject([
    { kind: 'catalog-only', code: 'MISSING', id: media.id, action: 'marked-missing' },
  ]);
  await near.call(`/api/media/${media.id}`, { method: 'DELETE' });
  await ended;
  expect(events.at(-1)).toEqual({ event: 'deleted', data: { id: media.id } });
});

it('reports each difference once, though the worker was killed on its way', async () => {
  const ASSETS = 2_600;
  await emulator.assets.seed(ASSETS);
  await emulator.configure({ listDelayMs: 150 });
  if (workers.length === 0) workers.push(await deployment.startWorker());
  await near.call('/api/media/sync-cloudinary?mode=full', { method: 'POST' });
  const running = async () =>
    (await near.call<{ running: { listed: number } | null }>('/api/media/sync/status')).body.running;
  await vi.waitFor(async () => expect((await running())?.listed ?? 0).toBeGreaterThan(0), { interval: 10 });
  await Promise.all(workers.map((worker) => worker.kill()));
  const before = await near.call<{ counts: object }>('/api/media/sync/drift');
  expect(before.body.counts).toMatchObject({ 'host-only': 0 });
  await deployment.startWorker();
  await vi.waitFor(
    async () => {
      const { body } = await near.call<{ lastFullRun: { listed: number } | null }>('/api/media/sync/status');
      expect(body.lastFullRun?.listed).toBe(ASSETS);
    },
    { interval: 100 },
  );
  const lines = (await (await fetch(`${far.url}/api/media/sync/drift?format=ndjson`)).text())
    .trim()
    .split('\n');
  const items = lines.map((line) => JSON.parse(line) as { assetId: string; code: string; action: string });
  expect(items).toHaveLength(ASSETS);
  expect(new Set(items.map(({ assetId }) => assetId)).size).toBe(ASSETS);
  expect(new Set(items.map(({ code, action }) => `${code} ${action}`))).toEqual(
    new Set(['NOT_IN_CATALOG created']),
  );
});
