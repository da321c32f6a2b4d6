import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { audit, type Acknowledged } from './harness/audit.js';
import { aPng, type ApiClient } from './harness/client.js';
import { createDeployment, type Deployment } from './harness/deployment.js';
import type { Program } from './harness/program.js';

let deployment: Deployment;
let clients: ApiClient[];
let apis: Program[];
let workers: Program[];
beforeAll(async () => {
  deployment = await createDeployment('cloudinary', { AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS: '1' });
  const started = await Promise.all([deployment.startApi(), deployment.startApi()]);
  clients = started.map(({ client }) => client);
  apis = started.map(({ program }) => program);
  workers = await Promise.all([deployment.startWorker(), deployment.startWorker(), deployment.startWorker()]);
});
afterAll(() => deployment.close());

const clientAt = (index: number): ApiClient => clients[index % clients.length] as ApiClient;

async function uploadMany(count: number): Promise<Acknowledged[]> {
  return Promise.all(
    Array.from({ length: count }, async (_unused, index) => {
      const data = aPng(index % 5 === 0 ? 400_000 : 4_000);
      const { status, body } = await clientAt(index).upload(data, { title: `n${String(index)}` });
      expect(status).toBe(202);
      return { id: body.media.id, data, title: `n${String(index)}` };
    }),
  );
}

it('keeps every upload once, whichever API took it and whichever workers saved it, and syncs once for all of them', async () => {
  const acknowledged = await uploadMany(60);
  const items = await audit(deployment, clientAt(0), acknowledged);
  expect(items).toHaveLength(60);
  expect((await clientAt(1).all()).map(({ id }) => id)).toEqual(items.map(({ id }) => id));
});

it('runs one sync at a time however many are asked for at once', async () => {
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_unused, index) => clientAt(index).sync('full')),
  );
  for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { result: 'ok' } });
  const runs = new Map(answers.map(({ body }) => [body['runId'], body]));
  const spans = [...runs.values()]
    .map((run) => ({ from: Date.parse(String(run['startedAt'])), to: Date.parse(String(run['finishedAt'])) }))
    .toSorted((a, b) => a.from - b.from);
  const overlaps = spans.filter((span, index) => index > 0 && span.from < (spans[index - 1]?.to ?? 0));
  expect(overlaps).toEqual([]);
});

it('S20: loses nothing when every process is restarted in turn under uploads, and each stops cleanly', async () => {
  const acknowledged: Acknowledged[] = [];
  const unexpected: number[] = [];
  const uploading = new AbortController();
  const clientsOf = async (index: number): Promise<void> => {
    while (!uploading.signal.aborted) {
      const data = aPng(20_000);
      const answer = await clientAt(index)
        .upload(data)
        .catch(() => null);
      if (answer?.status === 202) acknowledged.push({ id: answer.body.media.id, data });
      // A process that is stopping says so, or its port is closed already.
      else if (answer !== null && answer.status !== 503) unexpected.push(answer.status);
    }
  };
  const running = [0, 1, 2, 3].map(clientsOf);
  for (const [index, worker] of workers.entries()) {
    workers[index] = await deployment.startWorker();
    expect(await worker.stop()).toBe(0);
  }
  for (const [index, api] of apis.entries()) {
    const { program, client } = await deployment.startApi();
    clients[index] = client;
    apis[index] = program;
    expect(await api.stop()).toBe(0);
  }
  uploading.abort();
  await Promise.all(running);
  expect(unexpected).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(10);
  await audit(deployment, clientAt(0), acknowledged);
});

it('S20: ends at once on a second signal, and what that cut off is undone', async () => {
  const { program, client } = await deployment.startApi();
  const acknowledged = (await client.upload(aPng())).body.media.id;
  const open = (): Promise<number> => deployment.redis.client.zcard('{holdfast}:intents');
  // Otherwise the next upload could not be distinguished from this one.
  await vi.waitFor(async () => expect(await open()).toBe(0), { interval: 10 });
  let finish = (): void => undefined;
  const rest = new Promise<void>((resolve) => (finish = resolve));
  const slow = client.call('/api/media/upload', {
    method: 'POST',
    headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
    body: unfinishedForm(rest),
    duplex: 'half',
  } as RequestInit);
  slow.catch(() => undefined);
  await vi.waitFor(async () => expect(await open()).toBeGreaterThan(0), { interval: 10 });
  program.signal('SIGTERM');
  await program.waitForLog((line) => line.message === 'process.stopping');
  const forcedAt = await vi.waitFor(
    () => {
      // Signals that come closely together are one.
      program.signal('SIGTERM');
      expect(program.log.some((line) => line.message === 'process.forced')).toBe(true);
      return performance.now();
    },
    { interval: 100 },
  );
  expect(await program.ended).toBe(1);
  expect(performance.now() - forcedAt).toBeLessThan(2_000);
  finish();
  await expect(slow).rejects.toThrow(/fetch failed|terminated/);
  const items = await audit(deployment, clientAt(0), [], 90_000);
  expect(items.map(({ id }) => id)).toContain(acknowledged);
});

/** The beginning of an upload whose end does not come before `rest` does. */
function unfinishedForm(rest: Promise<void>): ReadableStream<Uint8Array> {
  const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
  return new ReadableStream({
    start: async (controller) => {
      controller.enqueue(Buffer.concat([Buffer.from(head), aPng(600_000)]));
      await rest;
      controller.close();
    },
  });
}
