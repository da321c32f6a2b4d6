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

const sentinel = { REDIS_SENTINEL_NAME: 'mymaster' };

test.each([
  ['REDIS_URL', { REDIS_URL: 'redis://h?db=3' }],
  ['REDIS_URL', { REDIS_URL: 'redis://h/3#x' }],
  ['REDIS_URL', { REDIS_URL: 'unix:///run/redis.sock?db=3' }],
  ['REDIS_SENTINELS', { ...sentinel, REDIS_SENTINELS: 'a:1,b:2/3' }],
  ['REDIS_SENTINELS', { ...sentinel, REDIS_SENTINELS: 'a:1?db=3' }],
  ['REDIS_CLUSTER_NODES', { REDIS_CLUSTER_NODES: 'a:1/2' }],
  ['REDIS_CLUSTER_NODES', { REDIS_CLUSTER_NODES: 'redis://a:1,rediss://:secret-pw@b:2' }],
  ['REDIS_CLUSTER_NODES', { REDIS_CLUSTER_NODES: 'rediss://:secret-pw@a:1,redis://b:2' }],
  ['REDIS_CLUSTER_NODES', { REDIS_CLUSTER_NODES: 'redis://:secret-pw@a:1,redis://:secret-other@b:2' }],
  ['REDIS_CLUSTER_NODES', { REDIS_CLUSTER_NODES: 'a:1,redis://:secret-half%off@b:2' }],
  ['UPSTASH_REDIS_REST_URL', { UPSTASH_REDIS_REST_URL: 'https://x.upstash.io:8079' }],
  ['UPSTASH_REDIS_REST_URL', { UPSTASH_REDIS_REST_URL: 'https://:secret-pw@x.upstash.io' }],
])('%s with a part that would not count is a problem beside the others: %o', (path, env) => {
  const errors = problemsOf({ UPSTASH_REDIS_REST_TOKEN: 'secret-token', ...env, PORT: 'none' });
  expect(errors.map((problem) => problem.path)).toContain('PORT');
  expect(errors.filter((problem) => problem.path === path)).toHaveLength(1);
  expect(JSON.stringify(errors)).not.toContain('secret-');
});

test.each([
  ['rediss://:pw@a:1,b:2', { tls: true, password: 'pw' }],
  ['rediss://:pw@a:1,rediss://b:2/', { tls: true, password: 'pw' }],
  ['rediss://u:pw@a:1,rediss://u:pw@b:2/0', { tls: true, username: 'u', password: 'pw' }],
  ['a:1,redis://b:2', { tls: false }],
])('the login and the scheme of the first entry count for all: %s', (nodes, login) => {
  const { connection } = readSettings({ REDIS_CLUSTER_NODES: nodes }).redis;
  expect(connection).toMatchObject({
    ...login,
    nodes: [
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ],
  });
});
