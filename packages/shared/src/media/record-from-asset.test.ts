import { expect, it } from 'vitest';
import { recordFromAsset, withKnown, writeHostMetadata, type AssetFacts } from './index.js';

const asset: AssetFacts = {
  publicId: 'others/a',
  resourceType: 'video',
  assetId: 'a'.repeat(32),
  format: 'mp4',
  bytes: 100,
  width: 1,
  height: 1,
  durationSeconds: 2.5,
  url: 'https://example.com/a.mp4',
  version: 7,
  etag: 'b'.repeat(32),
  context: {},
  tags: ['sea', 'hill'],
  createdAt: '2026-01-01T00:00:00.000Z',
};
const stored = recordFromAsset(asset, 'holdfast', 'sync');
const unsaid = {
  format: undefined,
  width: undefined,
  height: undefined,
  durationSeconds: undefined,
  etag: null,
};
const seenAs = (seen: Partial<AssetFacts>) =>
  recordFromAsset(withKnown({ ...asset, ...seen }, stored), 'holdfast', 'sync');

it('keeps what an answer leaves out, as long as the bytes are the same', () => {
  expect(seenAs(unsaid)).toEqual(stored);
  const nothing = { format: null, width: null, height: null, durationSeconds: null, checksum: { md5: null } };
  for (const other of [{ version: 8 }, { bytes: 101 }, { assetId: 'c'.repeat(32) }])
    expect(seenAs({ ...unsaid, ...other })).toMatchObject(nothing);
  expect(seenAs({ ...unsaid, width: null })).toMatchObject({ width: null, height: 1 });
  expect(seenAs({ etag: 'd'.repeat(32), version: 8 }).checksum.md5).toBe('d'.repeat(32));
});

it('keeps the order of tags that are the same', () => {
  expect(seenAs({ tags: ['hill', 'sea'] }).tags).toEqual(['sea', 'hill']);
  expect(seenAs({ tags: ['hill', 'shore'] }).tags).toEqual(['hill', 'shore']);
});

it('reads the duration of a video from its mark, unless the bytes are others by now', () => {
  const id = '01K00000000000000000000000';
  const fields = {
    ...stored,
    id,
    checksum: { sha256: null, md5: asset.etag },
    durationSeconds: 63.893313,
  };
  const marked = { ...asset, ...unsaid, publicId: `holdfast/${id}` };
  const { context } = writeHostMetadata({ mark: { state: 'committed' }, fields });
  const durationOf = (over: Partial<AssetFacts>) =>
    recordFromAsset({ ...marked, context, ...over }, 'holdfast', 'sync').durationSeconds;
  expect(durationOf({})).toBe(63.893313);
  expect(durationOf({ durationSeconds: 64 })).toBe(64);
  expect(durationOf({ etag: 'd'.repeat(32) })).toBeNull();
  for (const hf_dur of ['', 'long', '-1', 'Infinity'])
    expect(durationOf({ context: { ...context, hf_dur } })).toBeNull();
});
