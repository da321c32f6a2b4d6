import { chmod, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { onePixelPng } from '../../testing/index.js';
import type { AssetRef } from '../media-host.js';
import { putRequest } from '../testing/put-request.js';
import { createLocalHost } from './local-host.js';
import { openLocalFile } from './open-local-file.js';

async function setup() {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-media-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const settings = {
    kind: 'local',
    directory,
    filesDirectory: `${directory}/files`,
    folder: 'holdfast',
    syncPrefix: '',
  } as const;
  const host = await createLocalHost(settings, { log: silentLogger, reserveBytes: 0 });
  const store = async (ref: AssetRef, body: Buffer) => (await host.put(putRequest({ ref, body }))).asset;
  return { settings, store, host };
}

it('finds a picture by its address, with its size and hash', async () => {
  const { settings, host } = await setup();
  const { asset } = await host.put(putRequest());
  expect(asset.url).toBe(`/media/image/${asset.publicId}.png`);
  const file = await openLocalFile(settings.directory, asset.url);
  expect(file).toMatchObject({ asset: { bytes: onePixelPng.length, etag: asset.etag } });
});

it('finds names of any alphabet and with any sign', async () => {
  const { settings, store } = await setup();
  const asset = await store({ publicId: 'katzen/größe 50%?#.v2', resourceType: 'image' }, onePixelPng);
  expect(await openLocalFile(settings.directory, asset.url)).toMatchObject({ asset: { etag: asset.etag } });
});

it.each([
  '/media/image/../../secret.txt',
  '/media/image/..%2f..%2fsecret.txt',
  '/media/../secret.txt',
  '/media/.staging/secret.txt',
  '/media/image/holdfast%00.png',
  '/media/image/%',
  '/media/image/',
  '/media/other/holdfast/a.png',
  '/elsewhere',
])('finds nothing under %s', async (path) => {
  const { settings, host } = await setup();
  await host.put(putRequest());
  await writeFile(join(settings.directory, 'secret.txt'), 'secret');
  await writeFile(join(settings.directory, 'secret.txt.json'), 'secret');
  expect(await openLocalFile(settings.directory, path)).toBeNull();
});

it('finds nothing under a wrong format, or for an asset that was removed', async () => {
  const { settings, host } = await setup();
  const { asset } = await host.put(putRequest());
  expect(await openLocalFile(settings.directory, asset.url.replace('.png', '.html'))).toBeNull();
  await host.remove(asset);
  expect(await openLocalFile(settings.directory, asset.url)).toBeNull();
});

it('follows no link in the folder, and serves a folder that is itself behind one', async () => {
  const { settings, host } = await setup();
  const { asset } = await host.put(putRequest());
  const { path } = (await openLocalFile(settings.directory, asset.url)) ?? { path: '' };
  const link = `${settings.directory}-link`;
  await symlink(settings.directory, link);
  onTestFinished(() => rm(link));
  expect(await openLocalFile(link, asset.url)).not.toBeNull();
  const outside = `${settings.directory}-outside`;
  onTestFinished(() => rm(outside, { recursive: true }));

  await writeFile(outside, 'secret');
  await rm(path);
  await symlink(outside, path);
  expect(await openLocalFile(settings.directory, asset.url)).toBeNull();

  await rm(path);
  await writeFile(path, 'as before');
  expect(await openLocalFile(settings.directory, asset.url)).not.toBeNull();
  await rm(outside);
  const folder = join(settings.directory, 'image');
  await rename(folder, outside);
  await symlink(outside, folder);
  expect(await openLocalFile(settings.directory, asset.url)).toBeNull();
});

it('keeps files and folders for their owner only, also in a folder that was open before', async () => {
  const { settings, host } = await setup();
  await host.put(putRequest());
  await chmod(settings.directory, 0o755);
  const again = await createLocalHost(settings, { log: silentLogger, reserveBytes: 0 });
  const { asset } = await again.put(putRequest());
  await again.annotate(asset, { context: {}, tags: ['a'] });
  await again.putFile('a file', Buffer.from('beside the media'));
  const entries = await readdir(settings.directory, { recursive: true });
  expect(entries.length).toBeGreaterThan(8);
  for (const entry of ['.', ...entries]) {
    const { mode } = await stat(join(settings.directory, entry));
    expect([entry, mode & 0o077]).toEqual([entry, 0]);
  }
});
