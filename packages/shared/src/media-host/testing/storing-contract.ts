import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { onePixelPng } from '../../testing/index.js';
import {
  md5,
  neverAborted,
  newRef,
  pieces,
  plainMetadata,
  putRequest,
  type SetUpHost,
} from './put-request.js';

export function storing(setup: SetUpHost): void {
  it('stores a body and reports its size, hash, dimensions and metadata', async () => {
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
      ...plainMetadata,
    });
    expect(Date.parse(asset.createdAt)).toBeGreaterThan(Date.now() - 5_000);
    expect(asset.version).toBeGreaterThan(1_500_000_000);
    expect(md5(await bytesOf(asset))).toBe(md5(onePixelPng));
    expect(md5(await buffer(await host.open(asset, neverAborted)))).toBe(md5(onePixelPng));
    expect(await host.find(request.ref)).toEqual(asset);
  });

  it.each([
    ['raw', '.bin', null],
    ['video', '', 'mp3'],
  ] as const)('stores %s files', async (resourceType, extension, format) => {
    const { host, bytesOf } = await setup();
    const body = Buffer.concat([Buffer.from('ID3'), randomBytes(70_000)]);
    const ref = newRef(resourceType, extension);
    const { asset } = await host.put(putRequest({ ref, body, format: 'mp3' }));
    expect(asset).toMatchObject({ resourceType, bytes: body.length });
    expect([asset.format ?? null, asset.width ?? null, asset.height ?? null]).toEqual([format, null, null]);
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
    expect((await host.confirm([asset.assetId])).assets).toEqual([]);
    await expect(host.open(asset, neverAborted)).rejects.toMatchObject({ code: 'MEDIA_NOT_FOUND' });
    await expect(host.annotate(asset, plainMetadata)).rejects.toMatchObject({ code: 'MEDIA_NOT_FOUND' });
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
