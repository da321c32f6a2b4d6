import { expect, it } from 'vitest';
import { writeHostMetadata } from '@holdfast/shared/media';
import type { Media } from '../clients/media.js';
import type { DeleteOperation, EditOperation, ReadOperation, UploadOperation } from '../history.js';
import { checkRun } from './check-run.js';
import type { HostFile, RunResult, ViolationKind } from './final-state.js';

const ID = '01K5A0000000000000000000A1';
const OTHER = '01K5A0000000000000000000A2';
const SHA = 'a'.repeat(64);
const done = { client: 'c', outcome: 'ok', answer: '200' } as const;

const upload = (over: Partial<UploadOperation> = {}): UploadOperation => ({
  ...done,
  kind: 'upload',
  invokedAt: 0,
  returnedAt: 10,
  sha256: SHA,
  bytes: 5,
  id: ID,
  deferred: false,
  fields: { title: 'first', description: '', category: 'nature', tags: ['b', 'a'], filename: 'a.png' },
  ...over,
});
const edit = (value: string, invokedAt: number, over: Partial<EditOperation> = {}): EditOperation => ({
  ...done,
  kind: 'edit',
  id: ID,
  field: 'title',
  value,
  soft: false,
  invokedAt,
  returnedAt: invokedAt + 10,
  ...over,
});
const remove = (invokedAt: number, over: Partial<DeleteOperation> = {}): DeleteOperation => ({
  ...done,
  kind: 'delete',
  id: ID,
  invokedAt,
  returnedAt: invokedAt + 10,
  goneAt: Infinity,
  ...over,
});
const read = (
  invokedAt: number,
  found: Partial<NonNullable<ReadOperation['found']>> | null,
): ReadOperation => ({
  ...done,
  kind: 'read',
  id: ID,
  invokedAt,
  returnedAt: invokedAt + 10,
  found:
    found === null
      ? null
      : { title: 'first', description: '', status: 'verified', revision: 1, level: 'fsynced', ...found },
});
const record = (over: Partial<Media> = {}): Media => ({
  id: ID,
  status: 'verified',
  publicId: `holdfast/${ID}`,
  assetId: 'asset-1',
  bytes: 5,
  checksum: { sha256: SHA, md5: null },
  filename: 'a.png',
  title: 'first',
  description: '',
  category: 'nature',
  tags: ['a', 'b'],
  revision: 1,
  persistence: { level: 'fsynced' },
  ...over,
});
/** The asset as the host has it when it carries this record. */
const assetOf = (media: Media, over: Partial<HostFile> = {}): HostFile => ({
  assetId: media.assetId,
  publicId: media.publicId,
  sha256: media.checksum.sha256,
  ...writeHostMetadata({
    mark: { state: 'committed' },
    fields: {
      ...media,
      uploadedBy: 'anonymous',
      source: 'upload',
      createdAt: '2026-01-01T00:00:00.000Z',
      updatedAt: '2026-01-01T00:00:00.000Z',
      checksum: { ...media.checksum, md5: null },
      durationSeconds: null,
    },
  }),
  ...over,
});
const run = (over: Partial<RunResult> = {}): RunResult => ({
  operations: [upload()],
  wipedAt: [],
  records: [record()],
  assets: [assetOf(record())],
  goneAfterKill: [],
  convergedMs: 1_000,
  unsettled: '',
  planned: 3,
  injected: 3,
  crashes: [],
  ...over,
});
/** A file that was edited, and its last state. */
const edited = (
  title: string,
  operations: RunResult['operations'],
  over: Partial<RunResult> = {},
): RunResult => {
  const media = record({ title, revision: 2 });
  return run({ operations: [upload(), ...operations], records: [media], assets: [assetOf(media)], ...over });
};
const kinds = (result: RunResult): ViolationKind[] => checkRun(result).map(({ kind }) => kind);
const HOUR = 3_600_000;

it('finds nothing in a run that kept everything', () => {
  expect(checkRun(run())).toEqual([]);
});

it.each<[name: string, result: RunResult, expected: ViolationKind]>([
  ['a record that is gone', run({ records: [], assets: [] }), 'lost'],
  ['a record that never became verified', run({ records: [record({ status: 'failed' })] }), 'lost'],
  ['an asset that is gone', run({ assets: [] }), 'lost'],
  [
    'a verified record that nobody was promised, without an asset',
    run({ operations: [], assets: [] }),
    'record without an asset',
  ],
  [
    'other bytes on the host',
    run({ assets: [assetOf(record(), { sha256: 'b'.repeat(64) })] }),
    'bytes differ',
  ],
  [
    'a tag that is gone',
    run({ records: [record({ tags: ['a'] })], assets: [assetOf(record({ tags: ['a'] }))] }),
    'field differs',
  ],
  ['a title that nobody wrote', edited('other', []), 'field differs'],
  ['an edit that is gone', edited('first', [edit('second', 100)]), 'field differs'],
  ['the first of two edits', edited('second', [edit('second', 100), edit('third', 200)]), 'field differs'],
  [
    'an edit on the host only',
    run({ assets: [assetOf(record({ title: 'second', revision: 2 }))] }),
    'host says otherwise',
  ],
  [
    'an asset that lost its mark',
    run({ assets: [assetOf(record(), { context: {} })] }),
    'host says otherwise',
  ],
  [
    'one upload kept as two media',
    run({
      records: [record(), record({ id: OTHER, publicId: `holdfast/${OTHER}`, assetId: 'asset-2' })],
      assets: [
        assetOf(record()),
        assetOf(record({ id: OTHER, publicId: `holdfast/${OTHER}`, assetId: 'asset-2' })),
      ],
    }),
    'duplicate',
  ],
  [
    'an asset without a record',
    run({
      assets: [
        assetOf(record()),
        assetOf(
          record({
            id: OTHER,
            publicId: `holdfast/${OTHER}`,
            assetId: 'x',
            checksum: { sha256: null, md5: null },
          }),
        ),
      ],
    }),
    'orphan',
  ],
  ['what was refused', run({ operations: [upload({ outcome: 'fail', id: null })] }), 'kept though refused'],
  ['what was deleted', run({ operations: [upload(), remove(100)] }), 'came back after its deletion'],
  [
    'the asset of what was deleted',
    run({ operations: [upload(), remove(100)], records: [] }),
    'came back after its deletion',
  ],
  [
    'what was deleted and gone before a wipe',
    run({ operations: [upload(), remove(100, { goneAt: 120 })], wipedAt: [200] }),
    'came back after its deletion',
  ],
  [
    'a read of the past',
    edited('second', [edit('second', 100), read(200, { revision: 2 })]),
    'old value read',
  ],
  [
    'a read after a deletion',
    run({ operations: [upload(), remove(100), read(200, {})], records: [], assets: [] }),
    'came back after its deletion',
  ],
  [
    'a read that finds nothing',
    run({ operations: [upload(), read(100, null)] }),
    'not found though acknowledged',
  ],
  [
    'a revision that fell',
    edited('first', [read(100, { revision: 2 }), read(200, { revision: 1 })]),
    'revision fell',
  ],
  ['a record lost by the last kill', run({ goneAfterKill: [ID] }), 'untruthful level'],
  ['a late rest', run({ convergedMs: 60_001 }), 'not converged'],
  ['no rest', run({ convergedMs: null }), 'not converged'],
  ['a fault that did not happen', run({ injected: 2 }), 'too few faults'],
  ['a process that ended by itself', run({ crashes: ['api-1 ended with 1'] }), 'crashed'],
])('catches %s', (_name, result, expected) => {
  expect(kinds(result)).toContain(expected);
});

it.each<[name: string, result: RunResult]>([
  ['either of two edits at the same time', edited('second', [edit('second', 100), edit('third', 105)])],
  [
    'an edit without an answer, done',
    edited('second', [edit('second', 100, { outcome: 'info', returnedAt: Infinity })]),
  ],
  [
    'an edit without an answer, not done',
    edited('first', [edit('second', 100, { outcome: 'info', returnedAt: Infinity })]),
  ],
  [
    'an edit that was not on the host when Redis was wiped',
    edited('first', [edit('second', 100, { soft: true })], { wipedAt: [200] }),
  ],
  [
    'a deletion that a wipe took back before anybody saw it done',
    run({ operations: [upload(), remove(100)], wipedAt: [200] }),
  ],
  [
    'a deleted media that is missing after a wipe',
    run({
      operations: [upload(), remove(100, { goneAt: 120 })],
      wipedAt: [200],
      records: [record({ status: 'missing' })],
      assets: [],
    }),
  ],
  [
    'an upload without an answer, kept',
    run({ operations: [upload({ outcome: 'info', id: null, returnedAt: Infinity })] }),
  ],
  [
    'a read that finds nothing just after a wipe',
    run({ operations: [upload(), read(300, null)], wipedAt: [200] }),
  ],
  [
    'a read long after, of what was read before',
    run({ operations: [upload(), read(100, {}), read(HOUR, {})] }),
  ],
  [
    'an asset that waits for its deadline',
    run({
      assets: [
        assetOf(record()),
        { assetId: 'x', publicId: `holdfast/${OTHER}`, context: { hf: '0' }, tags: [], sha256: null },
      ],
    }),
  ],
])('allows %s', (_name, result) => {
  expect(checkRun(result)).toEqual([]);
});
