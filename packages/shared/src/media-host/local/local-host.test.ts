import { mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import type { LocalHostSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import type { HostAsset } from '../media-host.js';
import { describeMediaHost } from '../testing/media-host-contract.js';
import { newRef, putRequest } from '../testing/put-request.js';
import { placeOfRef } from './asset-files.js';
import { toDiskError } from './disk.js';
import { createLocalHost } from './local-host.js';
import { openLocalFile } from './open-local-file.js';

async function freshSettings(): Promise<LocalHostSettings> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-media-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return {
    kind: 'local',
    directory,
    filesDirectory: join(directory, 'files'),
    folder: 'holdfast',
    syncPrefix: '',
  };
}

describeMediaHost('local folder', async () => {
  const settings = await freshSettings();
  const host = await createLocalHost(settings, { log: silentLogger, reserveBytes: 0 });
  onTestFinished(() => host.close());
  return {
    host,
    bytesOf: async (asset) => {
      const file = await openLocalFile(settings.directory, asset.url);
      return file === null ? Buffer.alloc(0) : readFile(file.path);
    },
    leftovers: async () =>
      (await readdir(settings.directory, { recursive: true })).filter((name) => /[0-9a-f]{16}/.test(name)),
  };
});

it('refuses to store anything once the disk is nearly full', async () => {
  const settings = await freshSettings();
  const host = await createLocalHost(settings, { log: silentLogger, reserveBytes: Number.MAX_SAFE_INTEGER });
  const body = Readable.from([Buffer.alloc(1_000)]);
  await expect(host.put(putRequest({ body }))).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  expect(body.destroyed).toBe(true);
  expect(await host.freeBytes()).toBeGreaterThan(0);
});

it('sweeps what processes that died left of files beside the media', async () => {
  const settings = await freshSettings();
  const host = await createLocalHost(settings, { log: silentLogger, reserveBytes: 0 });
  await host.putFile('first', Buffer.from('content'));
  const unfinished = join(settings.filesDirectory, 'unfinished+');
  const longAgo = new Date(Date.now() - 3_600_000);
  for (const name of ['old', 'new']) await writeFile(join(unfinished, name), 'half');
  await utimes(join(unfinished, 'old'), longAgo, longAgo);
  const next = await createLocalHost(settings, { log: silentLogger, reserveBytes: 0 });
  expect(await readdir(unfinished)).toEqual(['new']);
  expect((await next.listFiles('')).map(({ name }) => name)).toEqual(['first']);
  // Version 0.1.0 unlinks every old entry that begins so, and could put no file where one of them is a folder.
  expect((await readdir(settings.filesDirectory)).filter((name) => name.startsWith('.'))).toEqual([]);
});

it('lists no file that others put beside ours, whatever its name', async () => {
  const settings = await freshSettings();
  const host = await createLocalHost(settings, { log: silentLogger, reserveBytes: 0 });
  await host.putFile('backups/a', Buffer.from('content'));
  for (const stray of ['backups%2Fa%', 'backups%2F%FF', 'backups%2Fa.copy', 'backups%2fb'])
    await writeFile(join(settings.filesDirectory, stray), 'stray');
  expect((await host.listFiles('backups/')).map(({ name }) => name)).toEqual(['backups/a']);
});

it('recognises the errors of a full disk', () => {
  for (const code of ['ENOSPC', 'EDQUOT'])
    expect(toDiskError(Object.assign(new Error('write'), { code }))).toMatchObject({ code: 'STORAGE_FULL' });
  expect(toDiskError(Object.assign(new Error('read'), { code: 'EIO' }))).toMatchObject({
    code: 'HOST_REJECTED',
  });
});

it('says where a process may open no more files, rather than blame the folder', () => {
  for (const code of ['EMFILE', 'ENFILE'])
    expect(toDiskError(Object.assign(new Error('open'), { code }))).toMatchObject({
      code: 'HOST_REJECTED',
      message: expect.stringContaining('too many open files') as string,
    });
});

it('lists assets without a time in their name too, each once', async () => {
  const host = await createLocalHost(await freshSettings(), { log: silentLogger, reserveBytes: 0 });
  const names = Array.from({ length: 40 }, (_, index) => `cats/tom ${String(index)}`);
  for (const publicId of names) await host.put(putRequest({ ref: { publicId, resourceType: 'image' } }));
  await host.put(putRequest({ ref: newRef() }));
  const listed: HostAsset[] = [];
  let cursor: string | null = null;
  do {
    const { signal } = new AbortController();
    const page = await host.list({ resourceType: 'image', cursor, limit: 7, signal });
    listed.push(...page.assets);
    cursor = page.nextCursor;
  } while (cursor !== null);
  expect(listed).toHaveLength(41);
  expect(new Set(listed.map(({ publicId }) => publicId)).size).toBe(41);
});

/** What happens to one description while the disk is well. A link to itself stands for a file that the system does not give out. */
const damages: [string, (path: string) => Promise<void>][] = [
  ['is cut off', (path) => writeFile(path, '{"token":')],
  [
    'the system does not give out',
    async (path) => {
      await rm(path);
      await symlink(path, path);
    },
  ],
];

it.each(damages)(
  'leaves out of a listing an asset whose description %s, and says so when asked for it',
  async (_, damage) => {
    const settings = await freshSettings();
    const host = await createLocalHost(settings, { log: silentLogger, reserveBytes: 0 });
    const [whole, broken] = [(await host.put(putRequest())).asset, (await host.put(putRequest())).asset];
    await damage(placeOfRef(settings.directory, broken).identity);
    const { signal } = new AbortController();
    const page = await host.list({ resourceType: 'image', cursor: null, limit: 10, signal });
    const unreadable = [{ assetId: broken.assetId, publicId: null }];
    expect(page).toMatchObject({ assets: [whole], unreadable });
    await expect(host.find(broken)).rejects.toMatchObject({ code: 'ASSET_UNREADABLE' });
    expect(await host.confirm([broken.assetId, whole.assetId])).toMatchObject({
      assets: [whole],
      unreadable,
    });
  },
);

it.each(damages)('removes with all its files an asset whose description %s', async (_, damage) => {
  const settings = await freshSettings();
  const host = await createLocalHost(settings, { log: silentLogger, reserveBytes: 0 });
  const { asset: broken } = await host.put(putRequest());
  await host.annotate(broken, { context: { title: 'edited' }, tags: [] });
  const place = placeOfRef(settings.directory, broken);
  await damage(place.identity);
  expect(await host.remove(broken)).toBe('removed');
  expect(await readdir(place.folder)).toEqual([]);
  expect(await host.find(broken)).toBeNull();
});
