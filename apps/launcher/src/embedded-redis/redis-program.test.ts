import { isHoldfastError } from '@holdfast/foundation/errors';
import { expect, it } from 'vitest';
import {
  chooseRedisServer,
  isOlderLine,
  listRedisServers,
  parseVersion,
  type ServerProgram,
} from './redis-program.js';

const redis = (version: string): ServerProgram => ({ kind: 'redis', version, path: `/bin/redis-${version}` });
const valkey: ServerProgram = { kind: 'valkey', version: '8.1.1', path: '/bin/valkey-server' };

const refusal = (choose: () => unknown): string => {
  try {
    choose();
    return 'none';
  } catch (error) {
    return isHoldfastError(error) ? error.code : String(error);
  }
};

it('tells Redis from Valkey by what the program says, not by its name', () => {
  expect(parseVersion('Redis server v=8.0.2 sha=00000000:0 malloc=jemalloc')).toEqual({
    kind: 'redis',
    version: '8.0.2',
  });
  expect(parseVersion('Valkey server v=8.1.1 sha=00000000:0')).toEqual({ kind: 'valkey', version: '8.1.1' });
  expect(parseVersion('redis-server: not found')).toBeUndefined();
});

it('compares versions by number and ignores the third', () => {
  expect(isOlderLine('8.9.0', '8.10.0')).toBe(true);
  expect(isOlderLine('8.0.1', '8.0.2')).toBe(false);
  expect(isOlderLine('10.0.0', '9.5.0')).toBe(false);
});

it('takes the first usable server for a new folder', () => {
  expect(chooseRedisServer([redis('6.2.7'), valkey, redis('8.0.2')], undefined, '/d')).toBe(valkey);
});

it('takes the kind and at least the version that wrote the folder', () => {
  const newer = redis('8.2.0');
  const available = [valkey, redis('7.4.0'), newer];
  expect(chooseRedisServer(available, { kind: 'redis', version: '8.0.2' }, '/d')).toBe(newer);
});

it.each([
  { case: 'nothing is installed', available: [], remembered: undefined, code: 'REDIS_SERVER_MISSING' },
  {
    case: 'all are too old',
    available: [redis('6.0.16')],
    remembered: undefined,
    code: 'REDIS_SERVER_MISSING',
  },
  {
    case: 'the folder is from a newer one',
    available: [redis('7.4.0')],
    remembered: { kind: 'redis' as const, version: '8.0.2' },
    code: 'DATA_DIR_INCOMPATIBLE',
  },
  {
    case: 'the folder is from the other kind',
    available: [valkey],
    remembered: { kind: 'redis' as const, version: '8.0.2' },
    code: 'DATA_DIR_INCOMPATIBLE',
  },
])('refuses when $case', ({ available, remembered, code }) => {
  expect(refusal(() => chooseRedisServer(available, remembered, '/d'))).toBe(code);
});

it('finds the servers of this machine and nothing in folders that do not exist', async () => {
  expect(await listRedisServers('/nowhere')).toEqual([]);
  expect((await listRedisServers(process.env['PATH'] ?? '')).length).toBeGreaterThan(0);
});
