import { expect, it } from 'vitest';
import {
  deletionFiles,
  deletionsName,
  groupFiles,
  manifestName,
  partName,
  snapshotPrefix,
} from './snapshot-names.js';

const id = '01K00000000000000000000000';
const file = (name: string) => ({ name, bytes: 1, storedAt: '2026-01-01T00:00:00.000Z' });

it('names the files of a deployment apart from those of others, the newest first', () => {
  const newer = '01K00000000000000000000001';
  const files = [
    manifestName('a', id),
    partName('a', id, 1),
    partName('a', newer, 1),
    manifestName('a/b', id),
    manifestName('ab', id),
    deletionsName('a', 2, id),
    `${snapshotPrefix('a')}${id}.deleted`,
    `${snapshotPrefix('a')}notes.txt`,
  ].map(file);
  expect(groupFiles('a', files)).toEqual([
    { id: newer, manifest: null, parts: [file(partName('a', newer, 1))] },
    { id, manifest: file(manifestName('a', id)), parts: [file(partName('a', id, 1))] },
  ]);
});

it('finds the deletions of a deployment among its other files and those of others, also of version 0.1.0', () => {
  const files = [
    `holdfast-snapshots/a/${id}.deleted`,
    'holdfast-snapshots/a/cld-0123abcd.deleted',
    'holdfast-snapshots/a/no id.deleted',
    `holdfast-snapshots/a/b/${id}.deleted`,
    deletionsName('a', 12, id),
    deletionsName('a/b', 12, id),
    deletionsName('ab', 12, id),
    manifestName('a', id),
  ].map(file);
  expect(deletionFiles('a', files).map(({ id: noted, count }) => [noted, count])).toEqual([
    [id, 1],
    ['cld-0123abcd', 1],
    [null, 12],
  ]);
});
