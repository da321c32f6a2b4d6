import { expect, it } from 'vitest';
import { newMediaId, readHostMetadata, writeHostMetadata, type CarriedFields } from '../../media/index.js';
import { onePixelPng } from '../../testing/index.js';
import { md5, neverAborted, putRequest, type SetUpHost } from './put-request.js';

export function describing(setup: SetUpHost): void {
  it('carries a record of the longest fields in any alphabet there and back', async () => {
    const { host } = await setup();
    const fields = longestFields();
    const ref = { publicId: `holdfast/${fields.id}`, resourceType: 'image' } as const;
    const metadata = writeHostMetadata({ mark: { state: 'committed' }, fields });
    const { asset } = await host.put(putRequest({ ref, metadata }));
    const page = await host.list({ resourceType: 'image', cursor: null, limit: 10, signal: neverAborted });
    for (const shown of [asset, await host.find(ref), ...page.assets]) {
      const read = shown === null ? undefined : readHostMetadata(shown)?.fields;
      // Tags are a set: the host may show them in an order of its own.
      expect({ ...read, tags: read?.tags.toSorted() }).toEqual({ ...fields, tags: fields.tags.toSorted() });
    }
    expect(page.assets).toHaveLength(1);
  });

  it.each([
    ['separators', 'a=b|c,d&e%26f'],
    ['quotes and brackets', `"it's" <b> [1] {2}`],
    ['other alphabets', 'žluťoučký 日本語 العربية 🌊'],
    ['backslashes', String.raw`c:\dir\=a\|b\\n`],
    ['a backslash at the end', 'c:\\'],
  ])('keeps %s in a value', async (_case, text) => {
    const { host } = await setup();
    const metadata = { context: { hf: '1', title: text }, tags: ['t'] };
    const { asset } = await host.put(putRequest({ metadata }));
    expect((await host.find(asset))?.context).toEqual(metadata.context);
    const edited = { description: text, hf: '1', category: 'a', empty: '' };
    const { empty, ...filled } = edited;
    await host.annotate(asset, { ...metadata, context: edited });
    // Whether the host keeps an empty value or drops its key makes no difference.
    expect({ empty, ...(await host.find(asset))?.context }).toEqual({ empty, ...filled });
  });

  it('replaces context and tags as a whole, also by nothing', async () => {
    const { host, bytesOf } = await setup();
    const { asset } = await host.put(putRequest());
    const edited = await host.annotate(asset, { context: { hf: '1', category: 'x' }, tags: ['a', 'b'] });
    expect(edited).toMatchObject({ assetId: asset.assetId, etag: asset.etag, version: asset.version });
    expect(edited.context).toEqual({ hf: '1', category: 'x' });
    expect(edited.tags).toEqual(['a', 'b']);
    const fewer = await host.annotate(asset, { context: { hf: '1' }, tags: ['b', 'c'] });
    expect(fewer.context).toEqual({ hf: '1' });
    expect(fewer.tags).toEqual(['b', 'c']);
    const emptied = await host.annotate(asset, { context: {}, tags: [] });
    expect(emptied).toMatchObject({ context: {}, tags: [] });
    expect(await host.find(asset)).toEqual(emptied);
    expect(md5(await bytesOf(emptied))).toBe(md5(onePixelPng));
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
    checksum: { sha256: 'ab'.repeat(32), md5: 'cd'.repeat(16) },
    durationSeconds: null,
  };
}
