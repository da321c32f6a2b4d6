import type { FoundRecord } from '@holdfast/shared/catalog';
import type { Measured, MediaRecord } from '@holdfast/shared/media';
import { aRecord } from '@holdfast/shared/testing';
import { storedAs } from '../../test/support/stored-as.js';
import { expect, it } from 'vitest';
import { judgeRecord } from './judge-record.js';

const there = (record: MediaRecord, gaps = 0): FoundRecord => ({
  stored: storedAs(record),
  gaps,
});
const own = aRecord();
const foreign = aRecord({ id: 'cld-abc', publicId: 'theirs' });

it.each([
  ['same', own, there({ ...own, status: 'verified' })],
  ['absent', own, { stored: null, gaps: 1 }],
  ['different', own, there({ ...own, bytes: own.bytes + 1 })],
  ['different', { ...own, revision: 2 }, there(own)],
  ['unindexed', own, there(own, 1)],
  ['superseded', own, there({ ...own, revision: 2, title: 'B' })],
  ['superseded', own, there({ ...own, status: 'deleting' })],
  ['superseded', own, there({ ...own, status: 'verified', publicId: 'renamed' })],
  ['superseded', foreign, there({ ...foreign, bytes: 9 })],
] as const)('finds %s', (verdict, expected, found) => {
  expect(judgeRecord(expected, found)).toBe(verdict);
});

/** One other value for each field of the content. */
const others: {
  [
    Field in Exclude<keyof MediaRecord, keyof Measured | 'id' | 'revision' | 'pushedRevision'>
  ]: MediaRecord[Field];
} = {
  publicId: 'elsewhere',
  assetId: 'another',
  resourceType: 'raw',
  format: null,
  bytes: 1,
  width: null,
  height: 21,
  durationSeconds: 2.5,
  url: 'https://res.example.com/other.png',
  checksum: { sha256: own.checksum.sha256, md5: null },
  filename: 'b.png',
  title: 'B',
  description: 'x',
  category: '',
  tags: ['sea', 'sky'],
  uploadedBy: 'another',
  source: 'direct',
  createdAt: '2020-01-01T00:00:00.000Z',
  updatedAt: '2031-01-01T00:00:00.000Z',
  hostVersion: 1,
};

it.each(Object.entries(others))('sees a difference in %s', (field, value) => {
  const record: MediaRecord = { ...own, [field]: value };
  expect(judgeRecord(own, there(record))).toBe('different');
});
