import { expect, it } from 'vitest';
import { UNKNOWN_VERSION, type ServerFacts } from './server-facts.js';
import { serverFindings } from './server-findings.js';

const facts: ServerFacts = {
  server: 'redis',
  version: '8.0.0',
  runId: 'r',
  role: 'master',
  aofEnabled: true,
  fsyncPolicy: 'always',
  snapshotSchedule: '',
  evictionPolicy: 'noeviction',
  usedMemory: 1,
  maxMemory: 0,
  lastAofWriteOk: true,
  lastSnapshotOk: true,
  connectedReplicas: 0,
  connectedClients: 10,
  maxClients: 10_000,
};

it.each([
  [true, 'always', '', []],
  [true, 'everysec', '', ['FSYNC_EVERYSEC']],
  [true, null, null, ['UNKNOWN_PERSISTENCE']],
  [false, 'always', '3600 1', ['SNAPSHOTS_ONLY']],
  [false, 'always', '', ['PERSISTENCE_OFF']],
  // INFO says that there is no file for every write, CONFIG is refused: snapshots may be on.
  [false, null, null, ['UNKNOWN_PERSISTENCE']],
  [null, null, null, ['UNKNOWN_PERSISTENCE']],
  [null, null, '', ['UNKNOWN_PERSISTENCE']],
  [null, null, '3600 1', []],
] as const)(
  'judges a server with AOF %s, fsync %s and snapshots %s by what it lets us see',
  (aofEnabled, fsyncPolicy, snapshotSchedule, codes) => {
    const seen = { ...facts, aofEnabled, fsyncPolicy, snapshotSchedule };
    expect(serverFindings(seen, { required: undefined, replicas: 0 }).map(({ code }) => code)).toEqual(codes);
  },
);

it.each([
  ['replicated', 0, true, ['DURABILITY_UNREACHABLE']],
  ['replicated', 1, true, ['NO_REPLICAS']],
  ['fsynced', 0, true, []],
  ['fsynced', 0, false, ['PERSISTENCE_OFF', 'DURABILITY_UNREACHABLE']],
  ['fsynced', 1, false, ['PERSISTENCE_OFF', 'NO_REPLICAS']],
  ['written', 0, true, []],
] as const)('of a level of %s with %i replicas, AOF %s', (required, replicas, aofEnabled, codes) => {
  expect(serverFindings({ ...facts, aofEnabled }, { required, replicas }).map(({ code }) => code)).toEqual(
    codes,
  );
});

it('tells of a server that does not answer INFO', () => {
  const codes = serverFindings({ ...facts, version: UNKNOWN_VERSION }, { required: undefined, replicas: 0 });
  expect(codes.map(({ code }) => code)).toEqual(['INFO_REFUSED']);
});

it('warns of a server that takes no more connections', () => {
  const codes = (connectedClients: number) =>
    serverFindings({ ...facts, connectedClients, maxClients: 20 }, { required: undefined, replicas: 0 }).map(
      ({ code }) => code,
    );
  expect([codes(19), codes(20)]).toEqual([[], ['REDIS_CONNECTIONS']]);
});

it('says that a server which never syncs cannot confirm the disk', () => {
  const never = { ...facts, fsyncPolicy: 'no' };
  const codes = serverFindings(never, { required: 'fsynced', replicas: 0 }).map(({ code }) => code);
  expect(codes).toEqual(['FSYNC_EVERYSEC', 'DURABILITY_UNREACHABLE']);
});

it.each([
  ['fsynced', 0, { fsynced: false, replicated: false }, true],
  ['fsynced', 0, { fsynced: true, replicated: false }, false],
  ['fsynced', 0, { fsynced: null, replicated: true }, false],
  ['fsynced', 1, { fsynced: false, replicated: true }, false],
  ['fsynced', 1, { fsynced: false, replicated: false }, true],
  ['replicated', 1, { fsynced: true, replicated: false }, true],
  ['replicated', 1, { fsynced: true, replicated: true }, false],
  ['replicated', 1, { fsynced: null, replicated: true }, false],
  ['written', 1, { fsynced: false, replicated: false }, false],
  [undefined, 1, { fsynced: false, replicated: false }, false],
] as const)(
  'of a level of %s with %i replicas, where the server hides its policy and can confirm %o: unreachable is %s',
  (required, replicas, confirmable, unreachable) => {
    const hidden = { ...facts, aofEnabled: null, fsyncPolicy: null };
    const codes = serverFindings(hidden, { required, replicas }, confirmable).map(({ code }) => code);
    expect(codes.includes('DURABILITY_UNREACHABLE')).toBe(unreachable);
  },
);
