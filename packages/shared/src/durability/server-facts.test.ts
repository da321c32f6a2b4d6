import { expect, it } from 'vitest';
import type { RedisClient } from '../redis/index.js';
import { confirmsTruly, readServerFacts } from './server-facts.js';

const settings: Record<string, string> = {
  appendfsync: 'always',
  save: '',
  'maxmemory-policy': 'noeviction',
  appendonly: 'yes',
};

/** Answers CONFIG GET as Redis did before 7, and KeyDB does. */
const tellsOneAtATime = {
  call: async (_command: string, _get: string, ...names: string[]) => {
    if (names.length !== 1)
      throw new Error("ERR Unknown subcommand or wrong number of arguments for 'get'. Try CONFIG HELP.");
    return Promise.resolve(names.flatMap((name) => [name, settings[name]]));
  },
  info: () => Promise.resolve('redis_version:6.2.16\r\n'),
} as unknown as RedisClient;

it('reads the settings of a server that answers one at a time', async () => {
  expect(await readServerFacts(tellsOneAtATime)).toMatchObject({
    aofEnabled: true,
    fsyncPolicy: 'always',
    snapshotSchedule: '',
    evictionPolicy: 'noeviction',
  });
});

it.each([
  ['that syncs each write', 'valkey', '8.1.0', 'always', true],
  ['that never syncs', 'redis', '8.0.0', 'no', false],
  ['Redis 8, under every second', 'redis', '8.0.0', 'everysec', true],
  ['Redis before 8, under every second', 'redis', '7.4.0', 'everysec', false],
  ['Valkey, under every second', 'valkey', '8.1.0', 'everysec', false],
  ['Redis 8 that hides its policy', 'redis', '8.0.0', null, true],
  ['Redis that hides its version too', 'redis', null, null, false],
  ['Upstash, which documents what its answer means', 'upstash', '1.13.3', null, true],
  ['KeyDB that hides its policy', 'keydb', '255.255.255', null, false],
] as const)('judges by program, version and policy whether a server is believed: %s', async (...given) => {
  const [, server, version, fsyncPolicy, believed] = given;
  const facts = { ...(await readServerFacts(tellsOneAtATime)), server, version, fsyncPolicy };
  expect(confirmsTruly(facts)).toBe(believed);
  expect(confirmsTruly({ ...facts, aofEnabled: false })).toBe(false);
});
