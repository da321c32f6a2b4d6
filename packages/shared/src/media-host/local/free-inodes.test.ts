import { mkdtemp, rm } from 'node:fs/promises';
import type * as FileSystem from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { putRequest } from '../testing/put-request.js';
import { createLocalHost } from './local-host.js';

const GIGABYTE = 1_000_000_000;
const disk = vi.hoisted(() => ({ inodes: { files: 0, ffree: 0 } }));

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof FileSystem>();
  const statfs = async () => ({ bsize: 1, bavail: 1_000_000_000, ...disk.inodes });
  return { ...real, statfs };
});

async function aHost() {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-media-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const host = await createLocalHost(
    {
      kind: 'local',
      directory,
      filesDirectory: join(directory, 'files'),
      folder: 'holdfast',
      syncPrefix: '',
    },
    { log: silentLogger },
  );
  onTestFinished(() => host.close());
  return host;
}

it('has no room once hardly any inodes are left, whatever bytes are free', async () => {
  const host = await aHost();
  disk.inodes = { files: 100_000, ffree: 999 };
  expect(await host.freeBytes()).toBe(0);
  await expect(host.put(putRequest())).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  disk.inodes = { files: 100_000, ffree: 1_000 };
  expect(await host.freeBytes()).toBe(GIGABYTE);
  await host.put(putRequest());
});

it('has room on a file system that does not count inodes', async () => {
  disk.inodes = { files: 0, ffree: 0 };
  expect(await (await aHost()).freeBytes()).toBe(GIGABYTE);
});
