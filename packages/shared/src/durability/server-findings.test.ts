import { expect, it } from 'vitest';
import type { DurabilitySettings } from '@holdfast/foundation/config';
import type { ServerFacts } from './server-facts.js';
import { serverFindings } from './server-findings.js';
import { serverProbes, type ProbeResult } from './server-probes.js';

const facts: ServerFacts = {
  server: 'redis',
  version: '8.0.0',
  runId: 'r',
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

/** What is found of a server that has every command but those of these names. */
function codesOf(
  seen: Partial<ServerFacts>,
  settings: DurabilitySettings,
  without: readonly string[] = [],
): string[] {
  const results = serverProbes.map((probe): ProbeResult => {
    const isLacking = without.includes(probe.name);
    return { probe, outcome: isLacking ? 'lacking' : 'there', said: '' };
  });
  return serverFindings({ facts: { ...facts, ...seen }, results }, settings).map(({ code }) => code);
}

const anyLevel = { required: undefined, replicas: 0 };

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
    expect(codesOf({ aofEnabled, fsyncPolicy, snapshotSchedule }, anyLevel)).toEqual(codes);
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
  expect(codesOf({ aofEnabled }, { required, replicas })).toEqual(codes);
});

it('warns of a server that accepts no more connections', () => {
  const codes = (connectedClients: number) => codesOf({ connectedClients, maxClients: 20 }, anyLevel);
  expect([codes(19), codes(20)]).toEqual([[], ['REDIS_CONNECTIONS']]);
});

it('says that a server which never syncs cannot confirm the disk', () => {
  const codes = codesOf({ fsyncPolicy: 'no' }, { required: 'fsynced', replicas: 0 });
  expect(codes).toEqual(['FSYNC_EVERYSEC', 'DURABILITY_UNREACHABLE']);
});

it.each([
  ['fsynced', 0, ['WAITAOF', 'WAIT'], true],
  ['fsynced', 0, ['WAIT'], false],
  ['fsynced', 0, [], false],
  ['fsynced', 1, ['WAITAOF'], false],
  ['fsynced', 1, ['WAITAOF', 'WAIT'], true],
  ['replicated', 1, ['WAIT'], true],
  ['replicated', 1, [], false],
  ['written', 1, ['WAITAOF', 'WAIT'], false],
  [undefined, 1, ['WAITAOF', 'WAIT'], false],
] as const)(
  'of a level of %s with %i replicas, where the server hides its policy and lacks %o: unreachable is %s',
  (required, replicas, without, unreachable) => {
    const codes = codesOf({ aofEnabled: null, fsyncPolicy: null }, { required, replicas }, without);
    expect(codes.includes('DURABILITY_UNREACHABLE')).toBe(unreachable);
  },
);

it('says that a server whose confirmations are not believed cannot confirm the disk', () => {
  const codes = codesOf(
    { server: 'valkey', version: '8.1.0', fsyncPolicy: 'everysec' },
    { required: 'fsynced', replicas: 0 },
  );
  expect(codes).toEqual(['FSYNC_EVERYSEC', 'DURABILITY_UNREACHABLE']);
});
