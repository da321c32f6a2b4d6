import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import {
  newMediaId,
  readHostMetadata,
  writeHostMetadata,
  type CarriedFields,
  type HostMetadata,
  type ResourceType,
} from '../media/index.js';
import type { AssetRef, HostAsset, MediaHost, PutRequest } from './media-host.js';
import { onePixelPng } from './testing/one-pixel-png.js';

/** A host that is fresh for one test and closed after it. */
export interface HostUnderTest {
  host: MediaHost;
  /** What the host serves under the asset's URL. */
  bytesOf: (asset: HostAsset) => Promise<Buffer>;
  /** Whatever an upload holds while it runs: temporary files, busy connections. */
  leftovers: () => Promise<readonly string[]>;
}

const never = new AbortController().signal;
const plain: HostMetadata = { context: { hf: '1', title: 'A' }, tags: ['sea'] };

/** What every media host does, whatever is behind it. `setup` cleans up after itself with onTestFinished. */
export function describeMediaHost(name: string, setup: () => Promise<HostUnderTest>): void {
  describe(`media host: ${name}`, () => {
    storing(setup);
    describing(setup);
    listing(setup);
    breaking(setup);
  });
}

export function newRef(resourceType: ResourceType = 'image', extension = ''): AssetRef {
  return { publicId: `holdfast/${newMediaId()}${extension}`, resourceType };
}

export function putRequest(over: Partial<PutRequest> = {}): PutRequest {
  return { ref: newRef(), metadata: plain, body: onePixelPng, signal: never, ...over };
}

function storing(setup: () => Promise<HostUnderTest>): void {
  it('stores a body and tells its size, hash, dimensions and metadata', async () => {
    const { host, bytesOf } = await setup();
    const request = putRequest();
    const { asset, existed } = await host.put(request);
    expect(existed).toBe(false);
    expect(asset).toMatchObject({
      ...request.ref,
      format: 'png',
      bytes: onePixelPng.length,
      width: 1,
      height: 1,
      etag: md5(onePixelPng),
      ...plain,
    });
    expect(Date.parse(asset.createdAt)).toBeGreaterThan(Date.now() - 5_000);
    expect(asset.version).toBeGreaterThan(1_500_000_000);
    expect(md5(await bytesOf(asset))).toBe(md5(onePixelPng));
    expect(await host.find(request.ref)).toEqual(asset);
  });

  it.each([
    ['raw', '.bin', null],
    ['video', '', 'mp3'],
  ] as const)('stores %s files', async (resourceType, extension, format) => {
    const { host, bytesOf } = await setup();
    const body = Buffer.concat([Buffer.from('ID3'), randomBytes(70_000)]);
    const { asset } = await host.put(putRequest({ ref: newRef(resourceType, extension), body }));
    expect(asset).toMatchObject({ resourceType, format, width: null, height: null, bytes: body.length });
    expect(md5(await bytesOf(asset))).toBe(md5(body));
    expect(await host.find({ publicId: asset.publicId, resourceType: 'image' })).toBeNull();
  });

  it('reads a stream to its end and destroys it', async () => {
    const { host, bytesOf } = await setup();
    const bytes = randomBytes(3_000_000);
    const body = Readable.from(pieces(bytes));
    const { asset } = await host.put(putRequest({ ref: newRef('raw', '.bin'), body }));
    expect(body.destroyed).toBe(true);
    expect(md5(await bytesOf(asset))).toBe(md5(bytes));
  });

  it('never overwrites: a second upload of the same id finds the first', async () => {
    const { host, bytesOf } = await setup();
    const first = putRequest({ ref: newRef('raw', '.png') });
    const { asset } = await host.put(first);
    const body = Readable.from(pieces(randomBytes(500_000)));
    const again = await host.put({ ...first, body, metadata: { context: { hf: '0' }, tags: [] } });
    expect(again).toEqual({ existed: true, asset });
    expect(body.destroyed).toBe(true);
    expect(md5(await bytesOf(again.asset))).toBe(md5(onePixelPng));
  });

  it('lets one of many racing uploads of an id win', async () => {
    const { host, bytesOf } = await setup();
    const ref = newRef('raw', '.bin');
    const bodies = Array.from({ length: 6 }, () => randomBytes(200_000));
    const results = await Promise.all(bodies.map((body) => host.put(putRequest({ ref, body }))));
    expect(results.filter(({ existed }) => !existed)).toHaveLength(1);
    const winner = bodies[results.findIndex(({ existed }) => !existed)] ?? onePixelPng;
    const asset = await host.find(ref);
    expect(new Set(results.map((result) => result.asset.etag))).toEqual(new Set([asset?.etag]));
    expect(asset === null ? null : md5(await bytesOf(asset))).toBe(md5(winner));
  });

  it('removes an asset, and says when there was none', async () => {
    const { host } = await setup();
    const { asset } = await host.put(putRequest());
    expect(await host.remove(asset)).toBe('removed');
    expect(await host.remove(asset)).toBe('absent');
    expect(await host.find(asset)).toBeNull();
    expect(await host.confirm([asset.assetId])).toEqual([]);
    await expect(host.annotate(asset, plain)).rejects.toMatchObject({ code: 'MEDIA_NOT_FOUND' });
  });

  it('refuses an empty file', async () => {
    const { host } = await setup();
    const ref = newRef();
    await expect(host.put(putRequest({ ref, body: Buffer.alloc(0) }))).rejects.toMatchObject({
      code: 'HOST_REJECTED',
    });
    expect(await host.find(ref)).toBeNull();
  });
}

function describing(setup: () => Promise<HostUnderTest>): void {
  it('carries a record of the longest fields in any alphabet there and back', async () => {
    const { host } = await setup();
    const fields = longestFields();
    const ref = { publicId: `holdfast/${fields.id}`, resourceType: 'image' } as const;
    const metadata = writeHostMetadata({ mark: { state: 'committed' }, fields });
    const { asset } = await host.put(putRequest({ ref, metadata }));
    expect(readHostMetadata(asset)?.fields).toEqual(fields);
    const found = await host.find(ref);
    expect(found === null ? null : readHostMetadata(found)?.fields).toEqual(fields);
    const page = await host.list({ resourceType: 'image', cursor: null, limit: 10, signal: never });
    expect(page.assets.map((listed) => readHostMetadata(listed)?.fields)).toEqual([fields]);
  });

  it.each([
    ['separators', 'a=b|c,d&e%26f'],
    ['quotes and brackets', `"it's" <b> [1] {2}`],
    ['other alphabets', 'žluťoučký 日本語 العربية 🌊'],
  ])('keeps %s in a value', async (_case, text) => {
    const { host } = await setup();
    const metadata = { context: { hf: '1', title: text }, tags: ['t'] };
    const { asset } = await host.put(putRequest({ metadata }));
    expect((await host.find(asset))?.context).toEqual(metadata.context);
    await host.annotate(asset, { ...metadata, context: { hf: '1', description: text } });
    expect((await host.find(asset))?.context).toEqual({ hf: '1', description: text });
  });

  it('replaces context and tags as a whole, also by nothing', async () => {
    const { host, bytesOf } = await setup();
    const { asset } = await host.put(putRequest());
    const edited = await host.annotate(asset, { context: { hf: '1', category: 'x' }, tags: ['a', 'b'] });
    expect(edited).toMatchObject({ assetId: asset.assetId, etag: asset.etag, version: asset.version });
    expect(edited.context).toEqual({ hf: '1', category: 'x' });
    expect(edited.tags).toEqual(['a', 'b']);
    const emptied = await host.annotate(asset, { context: {}, tags: [] });
    expect(emptied).toMatchObject({ context: {}, tags: [] });
    expect(await host.find(asset)).toEqual(emptied);
    expect(md5(await bytesOf(emptied))).toBe(md5(onePixelPng));
  });
}

function listing(setup: () => Promise<HostUnderTest>): void {
  it('lists every asset of a type once, oldest first, while more are added', async () => {
    const { host } = await setup();
    const before: string[] = [];
    for (let index = 0; index < 25; index += 1) {
      const { asset } = await host.put(putRequest());
      before.push(asset.publicId);
      // Ids of one millisecond have no order among them.
      const made = Date.now();
      await vi.waitUntil(() => Date.now() > made, { interval: 1 });
    }
    await host.put(putRequest({ ref: newRef('raw', '.bin') }));
    const listed: HostAsset[] = [];
    let cursor: string | null = null;
    do {
      const page = await host.list({ resourceType: 'image', cursor, limit: 4, signal: never });
      expect(page.assets.length).toBeLessThanOrEqual(4);
      listed.push(...page.assets);
      cursor = page.nextCursor;
      if (listed.length < 12) await host.put(putRequest());
    } while (cursor !== null);
    const ids = listed.map((asset) => asset.publicId);
    expect(ids.slice(0, 25)).toEqual(before);
    expect(new Set(ids).size).toBe(ids.length);
    expect(listed[0]).toEqual(await host.find({ publicId: before[0] ?? '', resourceType: 'image' }));
  });

  it('gives an empty page where there is nothing', async () => {
    const { host } = await setup();
    const signal = never;
    const empty = { assets: [], nextCursor: null };
    expect(await host.list({ resourceType: 'video', cursor: null, limit: 500, signal })).toEqual(empty);
    expect(await host.changes({ since: new Date(0), cursor: null, limit: 500, signal })).toEqual(empty);
  });

  it('reports uploads of all types and edits as changes', async () => {
    const { host } = await setup();
    const assets: HostAsset[] = [];
    for (const type of ['image', 'raw', 'video', 'image', 'raw'] as const)
      assets.push(
        (await host.put(putRequest({ ref: newRef(type, type === 'raw' ? '.bin' : ''), body: bodyOf(type) })))
          .asset,
      );
    const [first] = assets;
    const changes: HostAsset[] = [];
    let cursor: string | null = null;
    do {
      const page = await host.changes({
        since: new Date(Date.now() - 60_000),
        cursor,
        limit: 2,
        signal: never,
      });
      changes.push(...page.assets);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(changes.map((asset) => asset.assetId).toSorted()).toEqual(
      assets.map((asset) => asset.assetId).toSorted(),
    );
    // Whole seconds: what came before is no longer recent once two of them have passed.
    const editedAfter = new Date(Date.now() + 2_000);
    await vi.waitUntil(() => Date.now() > editedAfter.getTime(), { timeout: 5_000 });
    await host.annotate(first ?? newRef(), { context: { hf: '1', title: 'edited' }, tags: [] });
    const page = await host.changes({ since: editedAfter, cursor: null, limit: 10, signal: never });
    expect(page.assets.map(({ assetId, context }) => [assetId, context['title']])).toEqual([
      [first?.assetId, 'edited'],
    ]);
  });

  it('confirms those assets that exist', async () => {
    const { host } = await setup();
    const { asset } = await host.put(putRequest());
    const raw = await host.put(putRequest({ ref: newRef('raw', '.bin') }));
    const gone = await host.put(putRequest());
    await host.remove(gone.asset);
    const ids = [asset.assetId, 'f'.repeat(32), gone.asset.assetId, raw.asset.assetId];
    const confirmed = await host.confirm(ids);
    expect(confirmed.map(({ assetId }) => assetId).toSorted()).toEqual(
      [asset.assetId, raw.asset.assetId].toSorted(),
    );
    expect(confirmed.find(({ assetId }) => assetId === asset.assetId)).toEqual(asset);
    expect(await host.confirm([])).toEqual([]);
  });

  it('says that a cursor is spent when it is none of its own', async () => {
    const { host } = await setup();
    await host.put(putRequest());
    await expect(
      host.list({ resourceType: 'image', cursor: 'not a cursor', limit: 10, signal: never }),
    ).rejects.toMatchObject({ code: 'HOST_CURSOR_SPENT' });
  });
}

function breaking(setup: () => Promise<HostUnderTest>): void {
  it('ends an aborted upload at once, with the reason, and keeps nothing of it', async () => {
    const { host, leftovers } = await setup();
    const control = new AbortController();
    const ref = newRef('raw', '.bin');
    let given = 0;
    const body = new Readable({
      read() {
        given += 1;
        if (given < 20) this.push(randomBytes(64 * 1024));
        else control.abort(new Error('the client went away'));
      },
    });
    await expect(host.put(putRequest({ ref, body, signal: control.signal }))).rejects.toThrow(
      'the client went away',
    );
    expect(body.destroyed).toBe(true);
    await vi.waitFor(async () => expect(await leftovers()).toEqual([]));
    expect(await host.find(ref)).toBeNull();
  });

  it('does not start an upload that is aborted already', async () => {
    const { host } = await setup();
    const ref = newRef();
    const body = Readable.from(pieces(randomBytes(100_000)));
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(host.put(putRequest({ ref, body, signal }))).rejects.toThrow('too late');
    expect(body.destroyed).toBe(true);
    expect(await host.find(ref)).toBeNull();
    await expect(host.find(ref, signal)).rejects.toThrow('too late');
  });

  it.each([
    ['breaks', (body: Readable) => body.destroy(new Error('ECONNRESET'))],
    ['is destroyed without a word', (body: Readable) => body.destroy()],
  ])('keeps nothing of a body that %s', async (_case, end) => {
    const { host, leftovers } = await setup();
    const ref = newRef('raw', '.bin');
    let given = 0;
    const body = new Readable({
      read() {
        given += 1;
        if (given < 10) this.push(randomBytes(64 * 1024));
        else end(this);
      },
    });
    await expect(host.put(putRequest({ ref, body }))).rejects.toMatchObject({ code: 'CLIENT_ABORTED' });
    await vi.waitFor(async () => expect(await leftovers()).toEqual([]));
    expect(await host.find(ref)).toBeNull();
  });

  it('knows from its calls whether it is reachable', async () => {
    const { host } = await setup();
    expect(host.health()).toMatchObject({ reachable: null, lastSuccessAt: null });
    await host.put(putRequest());
    expect(host.health()).toMatchObject({ reachable: true, lastErrorCode: null });
    expect(host.health().lastSuccessAt).not.toBeNull();
  });
}

function longestFields(): CarriedFields {
  const id = newMediaId();
  return {
    id,
    revision: 12,
    filename: '日本 "a" =|\\.png',
    title: '海'.repeat(500),
    description: '🌊'.repeat(5_000),
    category: 'ž'.repeat(100),
    tags: Array.from({ length: 50 }, (_, index) => `${String(index)}-${'é'.repeat(97)}`),
    uploadedBy: 'web',
    source: 'upload',
    createdAt: '2026-01-01T00:00:00.123Z',
    updatedAt: '2026-01-02T00:00:00.456Z',
    sha256: 'ab'.repeat(32),
    md5: 'cd'.repeat(16),
  };
}

function bodyOf(type: ResourceType): Buffer {
  return type === 'video' ? Buffer.concat([Buffer.from('ID3'), randomBytes(1_000)]) : onePixelPng;
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += 64 * 1024)
    yield bytes.subarray(start, start + 64 * 1024);
}

/** Compared in place of the bytes: equality of large buffers is slow in the test runner. */
function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}
