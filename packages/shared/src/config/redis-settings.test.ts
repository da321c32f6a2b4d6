import { expect, test } from 'vitest';
import { HoldfastError, type FieldProblem } from '../errors/index.js';
import { readSettings } from './settings.js';

const secret = 'half%off-secret';

function problemsOf(env: Record<string, string>): readonly FieldProblem[] {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'CONFIG_INVALID') return error.errors ?? [];
    throw error;
  }
}

test.each([
  ['REDIS_URL', { REDIS_URL: `redis://:${secret}@localhost` }],
  ['REDIS_URL', { REDIS_URL: `redis://${secret}:x@localhost` }],
  ['REDIS_URL', { REDIS_URL: 'unix:///run/half%off.sock' }],
  ['REDIS_SENTINELS', { REDIS_SENTINELS: `redis://:${secret}@localhost:1`, REDIS_SENTINEL_NAME: 'mymaster' }],
  ['REDIS_CLUSTER_NODES', { REDIS_CLUSTER_NODES: `redis://:${secret}@localhost:1` }],
])('%s with a broken escape is a problem beside the others, and is not printed', (path, env) => {
  const errors = problemsOf({ ...env, PORT: 'none' });
  expect(errors.map((problem) => problem.path).toSorted()).toEqual(['PORT', path].toSorted());
  expect(JSON.stringify(errors)).not.toContain('off-secret');
});

test('decodes the escapes of a password', () => {
  expect(readSettings({ REDIS_URL: 'redis://:half%25off@localhost' }).redis.connection).toMatchObject({
    password: 'half%off',
  });
});
