import type * as FileSystem from 'node:fs/promises';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { makeFolder } from './disk.js';
import { createLocalHost } from './local-host.js';

const disk = vi.hoisted(() => ({ synced: [] as string[], locked: new Set<string>() }));
beforeEach(() => {
  disk.synced.length = 0;
  disk.locked.clear();
});

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof FileSystem>();
  const open: typeof real.open = async (path, ...rest) => {
    if (disk.locked.has(String(path))) throw Object.assign(new Error('not yours'), { code: 'EACCES' });
    const handle = await real.open(path, ...rest);
    const sync = handle.sync.bind(handle);
    handle.sync = async () => {
      disk.synced.push(String(path));
      await sync();
    };
    return handle;
  };
  return { ...real, open };
});

async function startOn(directory: string): Promise<void> {
  const settings = { kind: 'local', directory, filesDirectory: `${directory}.files` } as const;
  const host = await createLocalHost({ ...settings, folder: '', syncPrefix: '' }, { log: silentLogger });
  await host.close();
}

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-durable-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

it.each([
  ['made with it', undefined],
  ['made by another process a moment ago', ['data', 'nested']],
])('syncs all folders above the media folder, also those %s', async (_name, before) => {
  const folder = await freshFolder();
  if (before !== undefined) await mkdir(join(folder, ...before), { recursive: true });
  const nested = join(folder, 'data', 'nested');
  await startOn(join(nested, 'media'));
  expect(disk.synced).toEqual(expect.arrayContaining([nested, dirname(nested), folder]));
});

it('passes over a folder that it may not read', async () => {
  const folder = await freshFolder();
  disk.locked.add(folder);
  const data = join(folder, 'data');
  await startOn(join(data, 'media'));
  expect(disk.synced).toContain(data);
  expect(disk.synced).not.toContain(folder);
});

it('syncs below the media folder what is new, and nothing above again', async () => {
  const root = join(await freshFolder(), 'media');
  await startOn(root);
  disk.synced.length = 0;
  await makeFolder(join(root, 'image', 'ab'));
  expect(disk.synced).toEqual([join(root, 'image'), root]);
  disk.synced.length = 0;
  await makeFolder(join(root, 'image', 'ab'));
  expect(disk.synced).toEqual([]);
});
