import { expect, it } from 'vitest';
import {
  readHostMetadata,
  recordFromAsset,
  writeHostMetadata,
  type AssetFacts,
  type CarriedFields,
} from './index.js';

const id = '01K00000000000000000000000';

const fields = (over: Partial<CarriedFields> = {}): CarriedFields => ({
  id,
  revision: 3,
  filename: 'a "b" =|\\ 日本.png',
  title: 'A',
  description: '',
  category: 'nature',
  tags: ['sea', 'été'],
  uploadedBy: 'web',
  source: 'upload',
  createdAt: '2026-01-01T00:00:00.123Z',
  updatedAt: '2026-01-02T00:00:00.456Z',
  checksum: { sha256: 'ab'.repeat(32), md5: 'cd'.repeat(16) },
  durationSeconds: null,
  ...over,
});

const asset = (over: Partial<AssetFacts>): AssetFacts => ({
  publicId: `holdfast/${id}`,
  resourceType: 'image',
  assetId: 'f'.repeat(32),
  format: 'png',
  bytes: 10,
  width: 1,
  height: 1,
  durationSeconds: null,
  url: 'https://example.com/x.png',
  etag: 'ee'.repeat(16),
  version: 7,
  createdAt: '2026-01-01T00:00:00Z',
  context: {},
  tags: [],
  ...over,
});

it.each([
  ['empty texts', { title: '', description: '', category: '', filename: '' }],
  [
    'separators, backslashes and line ends',
    { title: 'a=b|c\\|d', description: 'one\ntwo\r\n', category: ' padded ' },
  ],
  [
    'the longest description of four-byte characters',
    { description: '🌊'.repeat(5_000), title: '日'.repeat(500) },
  ],
  ['text that looks like our own encoding', { title: 'b', description: 'tt', category: 'bYQ' }],
])('carries %s there and back', (_case, over) => {
  const written = writeHostMetadata({ mark: { state: 'committed' }, fields: fields(over) });
  expect(Object.values(written.context).every((value) => value.length <= 255 && !value.includes('\\'))).toBe(
    true,
  );
  expect(Object.keys(written.context).length).toBeLessThan(1_000);
  expect(readHostMetadata(written)).toEqual({ mark: { state: 'committed' }, fields: fields(over) });
});

it('keeps the deadline of an upload that was never committed', () => {
  const mark = { state: 'started', deadlineSeconds: 90 } as const;
  expect(readHostMetadata(writeHostMetadata({ mark, fields: fields() }))?.mark).toEqual(mark);
});

it('keeps the expiry of a ticket, which is neither committed nor started', () => {
  const mark = { state: 'ticket', expiresAtMs: 1_800_000_000_123 } as const;
  expect(readHostMetadata(writeHostMetadata({ mark, fields: fields() }))).toEqual({ mark, fields: fields() });
});

it('prefers a title that a person typed on the host to the one we encoded', () => {
  const written = writeHostMetadata({ mark: { state: 'committed' }, fields: fields({ title: 'a\\b' }) });
  const edited = { ...written, context: { ...written.context, title: 'theirs' } };
  expect(readHostMetadata(edited)?.fields.title).toBe('theirs');
});

it.each(['x', 'AB'.repeat(32), 'ab'.repeat(31)])('does not accept %s on the host as a hash', (hf_sha256) => {
  const written = writeHostMetadata({ mark: { state: 'committed' }, fields: fields() });
  const damaged = { ...written, context: { ...written.context, hf_sha256, hf_md5: hf_sha256 } };
  expect(readHostMetadata(damaged)?.fields).toMatchObject({ checksum: { sha256: null, md5: null } });
});

it.each([
  ['hf_rev', '0'],
  ['hf_rev', '-1'],
  ['hf_rev', '1.5'],
  ['hf_rev', '1e20'],
  ['hf_rev', '1e999'],
  ['hf_rev', 'x'],
  ['hf_id', 'cld-a:b'],
  ['hf_id', `cld-${'a'.repeat(65)}`],
  ['hf_id', 'cld-'],
  ['hf_created', 'x'],
])('takes an asset whose %s was made %s on the host for one without our mark', (name, value) => {
  const written = writeHostMetadata({ mark: { state: 'committed' }, fields: fields() });
  expect(readHostMetadata({ ...written, context: { ...written.context, [name]: value } })).toBeNull();
});

it('keeps what others wrote beside the bytes, and the key of the upload, when it writes again', () => {
  const claim = { key: '1'.repeat(32), fingerprint: '2'.repeat(32) };
  const { context } = writeHostMetadata({ mark: { state: 'committed' }, fields: fields(), claim });
  const others = {
    credit: 'a | b = c',
    hfx: 'x',
    ключ: 'значение',
    path: String.raw`c:\x\y`,
    folder: 'c:\\',
    'a=b': 'c',
  };
  const carried = { mark: { state: 'committed' }, fields: { ...fields(), title: '' } } as const;
  // A title that is no more must go.
  const there = { ...context, ...others, title: 'old', hf_due: '60' };
  const fresh = writeHostMetadata({ ...carried, claim });
  expect(writeHostMetadata(carried, { context: there })).toEqual({
    tags: fresh.tags,
    context: { ...others, ...fresh.context },
  });
});

it('rebuilds the same record from the same asset', () => {
  const written = writeHostMetadata({ mark: { state: 'committed' }, fields: fields() });
  const record = recordFromAsset(asset(written), 'holdfast', 'sync');
  expect(record).toMatchObject({
    id,
    revision: 3,
    source: 'upload',
    checksum: { sha256: 'ab'.repeat(32), md5: 'cd'.repeat(16) },
  });
  expect(recordFromAsset(asset(written), 'holdfast', 'webhook')).toEqual(record);
});

it('treats a copy of our asset under another public id as an asset of its own', () => {
  const written = writeHostMetadata({ mark: { state: 'committed' }, fields: fields() });
  const record = recordFromAsset(asset({ ...written, publicId: 'elsewhere/copy' }), 'holdfast', 'sync');
  expect(record.id).toBe(`cld-${'f'.repeat(32)}`);
});

it('gives an asset that others uploaded an id from its asset id and the texts of the Media Library', () => {
  const record = recordFromAsset(
    asset({ publicId: 'cats/tom', context: { caption: 'Tom', alt: 'A cat' }, tags: ['cat'] }),
    'holdfast',
    'sync',
  );
  expect(record).toMatchObject({
    id: `cld-${'f'.repeat(32)}`,
    title: 'Tom',
    description: 'A cat',
    tags: ['cat'],
    source: 'sync',
    filename: 'tom.png',
  });
});
