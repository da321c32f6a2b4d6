import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { createMediaHost } from '../media-host/index.js';
import { observeHostCalls } from './index.js';

it('counts each call by its outcome, and the bytes that were stored', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-metrics-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const registry = new Registry();
  const host = await createMediaHost(
    {
      kind: 'local',
      directory: join(directory, 'media'),
      filesDirectory: join(directory, 'files'),
      folder: 'holdfast',
      syncPrefix: '',
    },
    { log: silentLogger, observer: observeHostCalls(registry) },
  );
  onTestFinished(() => host.close());
  const ref = { publicId: 'holdfast/a', resourceType: 'image' } as const;
  const put = { ref, metadata: { context: {}, tags: [] }, signal: AbortSignal.timeout(5_000) };
  await host.put({ ...put, body: Buffer.from('12345') });
  await host.put({ ...put, body: Buffer.from('12345') });
  await expect(
    host.annotate({ ...ref, publicId: 'holdfast/b' }, { context: {}, tags: [] }),
  ).rejects.toMatchObject({ code: 'MEDIA_NOT_FOUND' });
  const text = await registry.metrics();
  expect(text).toContain('holdfast_host_calls_total{call="put",outcome="ok"} 2');
  expect(text).toContain('holdfast_host_calls_total{call="annotate",outcome="MEDIA_NOT_FOUND"} 1');
  expect(text).toContain('holdfast_host_stored_bytes_total 5');
  expect(text).toContain('holdfast_host_call_duration_seconds_count{call="put"} 2');
});
