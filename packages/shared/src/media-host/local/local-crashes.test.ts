import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import type { HostAsset, MediaHost } from '../media-host.js';
import { newRef, putRequest } from '../testing/put-request.js';
import { filesOf, placeOfRef, readIdentity } from './asset-files.js';
import { createLocalHost } from './local-host.js';
import { openLocalFile } from './open-local-file.js';
import { STAGING } from './local-writes.js';

const longAgo = new Date(Date.now() - 3_600_000);

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
  const start = (): Promise<MediaHost> => createLocalHost(settings, { log: silentLogger, reserveBytes: 0 });
  const staging = join(directory, STAGING);
  /** As a process left it that died an hour ago. */
  const left = async (name: string, make: (path: string) => Promise<void>): Promise<void> => {
    await make(join(staging, name));
    await utimes(join(staging, name), longAgo, longAgo);
  };
  const files = async (): Promise<string[]> =>
    (await readdir(directory, { recursive: true })).filter((name) => /[0-9a-f]{16}/.test(name));
  return { directory, start, staging, left, files };
}

async function pathsOf(directory: string, asset: HostAsset) {
  const place = placeOfRef(directory, asset);
  const token = (await readIdentity(place.identity))?.token ?? '';
  const [bytes, metadata] = filesOf(place, token);
  return { token, identity: place.identity, bytes, metadata };
}

it('forgets an upload whose process died after the bytes had their name', async () => {
  const { directory, start, left, files } = await setup();
  const { asset } = await (await start()).put(putRequest());
  const of = await pathsOf(directory, asset);
  await left(of.token, (path) => link(of.bytes, path));
  await left(`${of.token}.json`, (path) => rename(of.identity, path));
  const host = await start();
  expect(await host.find(asset)).toBeNull();
  expect(await files()).toEqual([]);
  expect((await host.put(putRequest({ ref: asset }))).existed).toBe(false);
});

it('keeps an upload whose process died before it tidied up', async () => {
  const { directory, start, staging, left } = await setup();
  const { asset } = await (await start()).put(putRequest());
  const of = await pathsOf(directory, asset);
  await left(`${of.token}.json`, (path) => link(of.identity, path));
  const host = await start();
  expect(await host.find(asset)).toEqual(asset);
  expect(await readdir(staging)).toEqual([]);
});

it('finishes a removal whose process died in its middle', async () => {
  const { directory, start, left, files } = await setup();
  const before = await start();
  const { asset } = await before.put(putRequest());
  await before.annotate(asset, { context: { hf: '1' }, tags: [] });
  const of = await pathsOf(directory, asset);
  await left(`${of.token}.json`, (path) => rename(of.identity, path));
  const host = await start();
  expect(await host.find(asset)).toBeNull();
  expect(await files()).toEqual([]);
});

it.each([
  ['half a body', 'aabbccddeeff0011', 'half'],
  ['half an identity', 'aabbccddeeff0011.json', '{"token":"aabb'],
  ['an edit', 'aabbccddeeff0011.meta', '{"context"'],
])('clears %s of a dead process, and leaves that of a living one', async (_case, name, text) => {
  const { start, staging, left, files } = await setup();
  const host = await start();
  await host.put(putRequest());
  const before = await files();
  await left(name, (path) => writeFile(path, text));
  // As version 0.1.0 did: a folder for each process.
  await mkdir(join(staging, 'machine.1.abcd'));
  await left(`machine.1.abcd/${name}`, (path) => writeFile(path, text));
  const living = `aaaa${name.slice(4)}`;
  await writeFile(join(staging, living), text);
  await start();
  expect((await files()).toSorted()).toEqual([...before, join(STAGING, living)].toSorted());
});

it('clears what dead processes left without a restart as well', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const { start, left, files } = await setup();
  const host = await start();
  const { asset } = await host.put(putRequest());
  await host.remove(asset);
  await left('aabbccddeeff0011', (path) => writeFile(path, 'half'));
  vi.advanceTimersByTime(600_000);
  await vi.waitFor(async () => expect(await files()).toEqual([]));
});

it('treats an asset whose bytes the disk has lost as absent, and lets it be uploaded again', async () => {
  const { directory, start } = await setup();
  const host = await start();
  const { asset } = await host.put(putRequest());
  await rm((await pathsOf(directory, asset)).bytes);
  expect(await host.find(asset)).toBeNull();
  expect(await host.confirm([asset.assetId])).toMatchObject({ assets: [], unreadable: [] });
  const again = await host.put(putRequest({ ref: asset }));
  expect(again).toMatchObject({ existed: false, asset: { etag: asset.etag } });
  expect(await openLocalFile(directory, asset.url)).toMatchObject({ asset: { bytes: asset.bytes } });
});

it('reports size and hash of what the disk holds, so that damage shows', async () => {
  const { directory, start } = await setup();
  const host = await start();
  const { asset } = await host.put(putRequest({ ref: newRef('raw'), body: Buffer.from('abc') }));
  const { bytes } = await pathsOf(directory, asset);
  await writeFile(bytes, 'abd');
  const changed = { ...asset, etag: '4911e516e5aa21d327512e0c8b197616' };
  expect(await host.find(asset)).toEqual(changed);
  expect(await host.annotate(asset, asset)).toEqual(changed);
  await writeFile(bytes, 'a');
  expect(await host.find(asset)).toMatchObject({ bytes: 1, etag: '0cc175b9c0f1b6a831c399e269772661' });
});

it('continues after somebody emptied the media folder', async () => {
  const { directory, start } = await setup();
  const host = await start();
  const { asset } = await host.put(putRequest());
  for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true });
  expect(await host.find(asset)).toBeNull();
  expect((await host.put(putRequest({ ref: asset }))).existed).toBe(false);
  expect(await host.find(asset)).toMatchObject({ etag: asset.etag });
});

it('says nothing of its assets while the media folder is not there', async () => {
  const { directory, start } = await setup();
  const host = await start();
  const { asset } = await host.put(putRequest());
  const { signal } = new AbortController();
  const away = `${directory}.away`;
  await rename(directory, away);
  const asked = await Promise.allSettled([
    host.find(asset),
    host.remove(asset),
    host.confirm([asset.assetId], signal),
    host.list({ resourceType: asset.resourceType, cursor: null, limit: 10, signal }),
    host.changes({ since: new Date(0), cursor: null, limit: 10, signal }),
  ]);
  await rename(away, directory);
  expect(asked).toEqual(
    asked.map(() => ({ status: 'rejected', reason: expect.objectContaining({ code: 'HOST_REJECTED' }) })),
  );
  expect(await host.find(asset)).toMatchObject({ etag: asset.etag });
});

it('never brings an asset back by an edit that races its removal', async () => {
  const { start, files } = await setup();
  const [one, two] = [await start(), await start()];
  for (let round = 0; round < 30; round += 1) {
    const { asset } = await one.put(putRequest());
    const [edited] = await Promise.allSettled([
      two.annotate(asset, { context: { hf: '1' }, tags: [] }),
      one.remove(asset),
    ]);
    expect(edited.status === 'fulfilled' || edited.reason).toSatisfy(
      (outcome: unknown) => outcome === true || (outcome as { code: string }).code === 'MEDIA_NOT_FOUND',
    );
    expect(await two.find(asset)).toBeNull();
  }
  expect(await files()).toEqual([]);
});

it('lets one of two processes win that upload the same id', async () => {
  const { start, directory } = await setup();
  const hosts = [await start(), await start()];
  for (let round = 0; round < 10; round += 1) {
    const ref = newRef('raw', '.bin');
    const results = await Promise.all(
      hosts.map((host, index) => host.put(putRequest({ ref, body: Buffer.alloc(5_000, index + 1) }))),
    );
    expect(results.filter(({ existed }) => existed)).toHaveLength(1);
    const winner = results.findIndex(({ existed }) => !existed);
    const file = await openLocalFile(directory, results[0]?.asset.url ?? '');
    expect((await readFile(file?.path ?? ''))[4_999]).toBe(winner + 1);
  }
});
