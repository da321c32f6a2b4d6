import { expect, it } from 'vitest';
import { recordFromAsset } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import { foreignRecord } from './asset-record.js';

const at = '2026-01-01T00:00:00.000Z';
const asset: HostAsset = {
  publicId: 'others/a',
  resourceType: 'image',
  assetId: 'a'.repeat(32),
  format: 'png',
  bytes: 100,
  width: 1,
  height: 1,
  durationSeconds: null,
  url: 'https://example.com/a.png',
  version: 7,
  etag: 'b'.repeat(32),
  context: {},
  tags: [],
  createdAt: at,
  uploadedAt: at,
};
const stored = recordFromAsset(asset, 'holdfast', 'sync');
const md5Of = (seen: Partial<HostAsset>) =>
  foreignRecord({ ...asset, ...seen }, 'holdfast', stored).checksum.md5;

it('keeps the hash that the host told only of the bytes that it told it of', () => {
  expect(md5Of({ etag: null })).toBe(asset.etag);
  expect(md5Of({ etag: null, version: 8 })).toBeNull();
  expect(md5Of({ etag: null, bytes: 101 })).toBeNull();
  expect(md5Of({ etag: null, assetId: 'c'.repeat(32) })).toBeNull();
  expect(md5Of({ etag: 'd'.repeat(32), version: 8 })).toBe('d'.repeat(32));
});
