import type { Fault } from '@holdfast/cloudinary-emulator';
import { expect, it, vi } from 'vitest';
import { audit, type Acknowledged } from './harness/audit.js';
import { aPng } from './harness/client.js';
import { deploymentOf } from './harness/deployment.js';

const SMALL = 2_000;
const LARGE = 600_000;

const faults: readonly Fault[] = [
  { kind: 'early-error', status: 400 },
  { kind: 'early-error', status: 500 },
  { kind: 'error', status: 500 },
  { kind: 'error', status: 500, effect: 'done' },
  { kind: 'html', status: 502 },
  { kind: 'html', status: 503, effect: 'done' },
  { kind: 'garbage' },
  { kind: 'garbage', effect: 'none' },
  { kind: 'rate-limit', status: 420 },
  { kind: 'reset-body', afterBytes: 0 },
  { kind: 'reset-body', afterBytes: 1_000 },
  { kind: 'drop-after-success' },
  { kind: 'cut-response' },
  { kind: 'slow-response', ms: 500 },
  { kind: 'silence', ms: 2_000 },
  { kind: 'silence', ms: 2_000, readBody: true, effect: 'done' },
  { kind: 'corrupt' },
];

it('S15: leaves no orphan and no duplicate whatever the host does to an upload, and frees its sockets', async (context) => {
  const deployment = await deploymentOf(context);
  const { emulator } = deployment;
  if (emulator === null) throw new Error('no emulator');
  const [{ client }, worker] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  await worker.waitForLog((line) => line.message === 'sync.finished');
  const acknowledged: Acknowledged[] = [];
  for (const fault of faults) {
    for (const bytes of [SMALL, LARGE]) {
      await emulator.faults.add({ ...fault, match: { endpoint: 'upload' } });
      const data = aPng(bytes);
      const { status, body } = await client.upload(data);
      expect([202, 502, 504], JSON.stringify(fault)).toContain(status);
      expect(body.code ?? 'HOST_', JSON.stringify(fault)).toMatch(/^HOST_/);
      if (status === 202) acknowledged.push({ id: body.media.id, data });
      await emulator.faults.clear();
      // The one after a failure is not refused.
      const next = aPng(bytes);
      const answer = await client.upload(next);
      expect(answer.status).toBe(202);
      acknowledged.push({ id: answer.body.media.id, data: next });
    }
  }
  const items = await audit(deployment, client, acknowledged, 90_000);
  expect(items).toHaveLength(acknowledged.length);
  await vi.waitFor(async () => expect((await emulator.requests.counters()).inFlight).toBe(0));
  // What stays open are the idle connections of two processes. Those that sweeps used side by side go with the next call after they
  // have been idle for some seconds; a lost one stays.
  await vi.waitFor(
    async () => {
      await client.upload(aPng(SMALL));
      expect((await emulator.requests.counters()).openSockets).toBeLessThan(20);
    },
    { interval: 6_000, timeout: 60_000 },
  );
});

it('reports that the host does not deliver PDF files, until it does', async (context) => {
  const deployment = await deploymentOf(context);
  const { emulator } = deployment;
  await emulator?.configure({ blockedDelivery: ['pdf'] });
  const [{ client }] = await Promise.all([deployment.startApi(), deployment.startWorker()]);
  interface Status {
    storage: { findings: { code: string; severity: string; message: string; fix: string }[] };
  }
  const told = async () => {
    const { body } = await client.call<Status>('/api/media/database/status');
    return body.storage.findings.find(({ code }) => code === 'DELIVERY_BLOCKED');
  };
  expect((await client.upload(aPng(), {}, { Prefer: 'wait=20' })).status).toBe(201);
  const pdf = await client.upload(Buffer.from('%PDF-1.7 a page'), {}, { Prefer: 'wait=20' }, 'a.pdf');
  expect(pdf.body.media).toMatchObject({ status: 'verified', format: 'pdf' });
  await vi.waitFor(async () =>
    expect(await told()).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(/ pdf \(401\)\./),
      fix: expect.stringContaining('Allow delivery of PDF and ZIP files'),
    }),
  );
  expect((await client.call('/api/media/health')).body).toMatchObject({ status: 'degraded' });
  await emulator?.configure({ blockedDelivery: [] });
  // A worker looks again at its start, and every quarter of an hour.
  await deployment.startWorker();
  await vi.waitFor(async () => expect(await told()).toBeUndefined());
});
