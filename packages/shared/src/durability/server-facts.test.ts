import { expect, it } from 'vitest';
import type { RedisClient } from '../redis/index.js';
import { readServerFacts } from './server-facts.js';

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

it('reads the settings of a server that tells one at a time', async () => {
  expect(await readServerFacts(tellsOneAtATime)).toMatchObject({
    aofEnabled: true,
    fsyncPolicy: 'always',
    snapshotSchedule: '',
    evictionPolicy: 'noeviction',
  });
});
