import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCatalog, encodeContent, type Catalog } from '../src/catalog/index.js';
import { createIntents, type Intents } from '../src/intents/index.js';
import { mediaStatuses, type MediaRecord } from '../src/media/index.js';
import { redisKeys } from '../src/redis/index.js';
import { loadLines, type SnapshotLine, type SnapshotRecord } from '../src/snapshot/index.js';
import { createSyncState } from '../src/sync/index.js';
import { aRecord, proofOf, startRedisSandbox, type RedisSandbox } from '../src/testing/index.js';

const NOWHERE = '[*]';
/** Only in the memory of the API, so no script makes its moves. */
const UNSTORED = 'deferred';

let redis: RedisSandbox;
let catalog: Catalog;
let intents: Intents;
let loading: { loadLines: (lines: readonly SnapshotLine[]) => Promise<unknown> };
beforeAll(async () => {
  redis = await startRedisSandbox();
  catalog = createCatalog(redis.client, redisKeys('holdfast'));
  intents = createIntents(redis.client, redisKeys('holdfast'));
});
afterAll(() => redis.close());
beforeEach(async () => {
  await redis.client.flushall();
  const { token } = await createSyncState(redis.client, redisKeys('holdfast')).begin();
  loading = {
    loadLines: (lines) => loadLines(redis.client, redisKeys('holdfast'), token ?? '', lines),
  };
});

const drawing = await readFile(new URL('../../../docs/states.md', import.meta.url), 'utf8');
const drawn = [...drawing.matchAll(/^ {2}(\S+) --> (\S+) : (.+)$/gm)].flatMap(
  ([, from = '', to = '', functions = '']) => functions.split(', ').map((name) => ({ from, to, name })),
);

type Step = (record: MediaRecord) => Promise<unknown>;

const fail = (final: boolean): Step => {
  const error = { code: 'RECORD_DIFFERS', message: 'differs' };
  return ({ id, revision }) => catalog.noteFailure({ id, revision, attempts: 3, final, error });
};
const verify: Step = (record) => catalog.markVerified('fsynced', new Date(), [proofOf(record)]);
const edited = (record: MediaRecord): MediaRecord => ({
  ...record,
  revision: record.revision + 1,
  title: 'edited',
});
const load =
  (status: SnapshotRecord['status'], change = (record: MediaRecord): MediaRecord => record): Step =>
  (record) => {
    const { id, pushedRevision } = record;
    const changed = change(record);
    const [content, { revision }] = [encodeContent(changed), changed];
    return loading.loadLines([{ kind: 'record', id, status, pushedRevision, content, revision }]);
  };

/** The ways into each state that is stored. */
const ways: Record<string, readonly Step[]> = {
  [NOWHERE]: [],
  saving: [(record) => catalog.save(record)],
  verified: [(record) => catalog.save(record), verify],
  failed: [(record) => catalog.save(record), fail(true)],
  missing: [(record) => catalog.save(record), verify, ({ id }) => catalog.markMissing([id], null)],
  deleting: [(record) => catalog.save(record), ({ id }) => catalog.beginDelete(id)],
};

/** Every function that changes records; the revision after the present one, and the present one again. */
const steps: readonly (readonly [name: string, step: Step])[] = [
  ['save', (record) => catalog.save(record)],
  ['save', (record) => catalog.save(edited(record))],
  ['save', (record) => catalog.saveMany([{ record, expect: 'absent' }], null)],
  ['accept', (record) => intents.accept({ record, committed: true })],
  ['markVerified', verify],
  ['noteFailure', fail(true)],
  ['noteFailure', fail(false)],
  ['markMissing', ({ id }) => catalog.markMissing([id], null)],
  ['restore', ({ id }) => catalog.restore([id], null)],
  ['notePushed', ({ id, revision }) => catalog.notePushed(id, revision)],
  ['reindex', ({ id }) => catalog.reindex([id])],
  ['beginDelete', ({ id }) => catalog.beginDelete(id)],
  ['finishDelete', ({ id }) => catalog.finishDelete(id)],
  ['refuse', ({ id }) => intents.refuse(id, { removal: null, acceptance: { claimKey: null } })],
  ['loadLines', ({ id }) => loading.loadLines([{ kind: 'tombstone', id, deletedMs: 1 }])],
  ['loadLines', load('saving')],
  ['loadLines', load('saving', edited)],
  ['loadLines', load('missing')],
  ['loadLines', load('missing', edited)],
  ['loadLines', load('deleting')],
  ['loadLines', load('deleting', edited)],
];

/** They run the script of `save`. */
const otherSaves = ['saveIf', 'saveMany'];
const reads = [
  'find',
  'findStored',
  'list',
  'counts',
  'findWithGaps',
  'hasOldIndexes',
  'isTombstoned',
  'findTombstoned',
  'drawUnpushed',
  'drawDeleting',
];
/** No record is touched by these. */
const epoch = ['epoch', 'noteEpoch'];
/** A tombstone ends only where no record is. */
const tombstones = ['keepTombstones', 'endTombstones'];
const indexes = ['repairIndexes'];
const ofIntentsAlone = [
  'open',
  'describe',
  'publicIdOf',
  'findStates',
  'beat',
  'drop',
  'kill',
  'revive',
  'postpone',
  'stale',
  'retry',
];

const statusNow = async (id: string): Promise<string> => (await catalog.find(id))?.status ?? NOWHERE;

const text = (move: { from: string; to: string; name: string }): string =>
  `${move.from} -> ${move.to} by ${move.name}`;

it('draws every status', () => {
  expect(new Set(drawn.flatMap(({ from, to }) => [from, to]))).toEqual(new Set([...mediaStatuses, NOWHERE]));
  expect(Object.keys(ways).toSorted()).toEqual(
    [...mediaStatuses.filter((status) => status !== UNSTORED), NOWHERE].toSorted(),
  );
});

it('tries every function that could make a move', () => {
  const functions = [catalog, intents, loading].flatMap((all) => Object.keys(all));
  const known = [
    ...steps.map(([name]) => name),
    ...otherSaves,
    ...reads,
    ...epoch,
    ...tombstones,
    ...indexes,
    ...ofIntentsAlone,
  ];
  expect(new Set(known)).toEqual(new Set(functions));
});

describe.each(Object.entries(ways))('from %s', (from, way) => {
  it('moves as drawn, and in no other way', async () => {
    const moves = new Set<string>();
    for (const [name, step] of steps) {
      const record = aRecord();
      for (const before of way) await before(record);
      expect(await statusNow(record.id)).toBe(from);
      await step(record);
      const to = await statusNow(record.id);
      if (to !== from) moves.add(text({ from, to, name }));
    }
    const expected = drawn.filter((move) => move.from === from && move.to !== UNSTORED);
    expect([...moves].toSorted()).toEqual(expected.map(text).toSorted());
  });
});
