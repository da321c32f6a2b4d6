import { spawnSync } from 'node:child_process';
import { afterEach, expect, it, vi } from 'vitest';
import { aRecord } from '@holdfast/shared/testing';
import { openBench, type Bench } from './support/start-worker.js';

let bench: Bench;
afterEach(() => bench.close());

const hasValkey = spawnSync('valkey-server', ['--version']).status === 0;
const within = { interval: 20 };

async function levelOn(args: readonly string[], binary?: string): Promise<string | null | undefined> {
  bench = await openBench({}, args, binary);
  const record = aRecord();
  await bench.upload(record);
  await bench.startWorker();
  await vi.waitFor(
    async () => expect((await bench.catalog.find(record.id))?.status).toBe('verified'),
    within,
  );
  return (await bench.catalog.find(record.id))?.persistence.level;
}

it.each([
  ['always', 'fsynced'],
  ['everysec', 'fsynced'],
  ['no', 'written'],
])('says of a Redis that syncs %s: %s', async (policy, level) => {
  expect(await levelOn(['--appendfsync', policy])).toBe(level);
});

it('reports written where nothing goes to disk', async () => {
  expect(await levelOn(['--appendonly', 'no'])).toBe('written');
});

it('follows a server whose settings are changed while it runs', async () => {
  expect(await levelOn(['--appendfsync', 'always'])).toBe('fsynced');
  await bench.sandbox.client.config('SET', 'appendonly', 'no');
  const record = aRecord();
  await bench.upload(record);
  await vi.waitFor(
    async () => expect((await bench.catalog.find(record.id))?.status).toBe('verified'),
    within,
  );
  expect((await bench.catalog.find(record.id))?.persistence.level).toBe('written');
});

it.skipIf(!hasValkey)('does not believe a Valkey that syncs every second', async () => {
  expect(await levelOn(['--appendfsync', 'everysec'], 'valkey-server')).toBe('written');
});
