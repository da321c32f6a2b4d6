import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { onePixelPng } from '../../testing/index.js';
import type { MediaHost } from '../media-host.js';
import { putRequest } from '../testing/put-request.js';

// A process that is killed loses nothing of what it has written; a machine without power does.

const disk = vi.hoisted(() => ({ cutPower: (): Promise<void> => Promise.reject(new Error('not mocked')) }));
vi.mock('node:fs/promises', async (importActual) => {
  const { createVolatileFiles } = await import('../testing/volatile-files.js');
  const { files, cutPower } = createVolatileFiles(await importActual());
  disk.cutPower = cutPower;
  return files;
});

async function setup() {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-media-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const filesDirectory = join(directory, 'files');
  const settings = { kind: 'local', directory, filesDirectory, folder: 'holdfast', syncPrefix: '' } as const;
  const start = async (): Promise<MediaHost> => {
    const { createLocalHost } = await import('./local-host.js');
    return createLocalHost(settings, { log: silentLogger, reserveBytes: 0 });
  };
  const afterPowerCut = async (): Promise<MediaHost> => {
    await disk.cutPower();
    return start();
  };
  const files = async (): Promise<string[]> =>
    (await readdir(directory, { recursive: true })).filter((name) => /[0-9a-f]{16}/.test(name));
  return { directory, host: await start(), afterPowerCut, files };
}

it('has an upload that it answered after a power cut, with its bytes', async () => {
  const { directory, host, afterPowerCut, files } = await setup();
  const { asset } = await host.put(putRequest());
  const after = await afterPowerCut();
  expect(await after.find(asset)).toEqual(asset);
  const bytes = (await files()).find((name) => /\.[0-9a-f]{16}$/.test(name)) ?? '';
  expect(await readFile(join(directory, bytes))).toEqual(onePixelPng);
});

it('has an edit that it answered after a power cut', async () => {
  const { host, afterPowerCut } = await setup();
  const { asset } = await host.put(putRequest());
  await host.annotate(asset, { context: { hf: '1', title: 'first' }, tags: [] });
  const edited = await host.annotate(asset, { context: { hf: '1', title: 'second' }, tags: ['sea'] });
  expect(await (await afterPowerCut()).find(asset)).toEqual(edited);
});

it('has no asset whose removal it answered after a power cut', async () => {
  const { host, afterPowerCut } = await setup();
  const { asset } = await host.put(putRequest());
  expect(await host.remove(asset)).toBe('removed');
  expect(await (await afterPowerCut()).find(asset)).toBeNull();
});

it('has no damaged asset whose removal it answered after a power cut', async () => {
  const { directory, host, afterPowerCut, files } = await setup();
  const { asset } = await host.put(putRequest());
  const identity = (await files()).find((name) => name.endsWith(`${asset.assetId}.json`)) ?? '';
  await writeFile(join(directory, identity), '{"token":');
  expect(await host.remove(asset)).toBe('removed');
  expect(await (await afterPowerCut()).find(asset)).toBeNull();
});

it('has a file beside the media that it answered after a power cut', async () => {
  const { host, afterPowerCut } = await setup();
  await host.putFile('backups/a', Buffer.from('content'));
  expect(await (await afterPowerCut()).readFile('backups/a')).toEqual(Buffer.from('content'));
});
