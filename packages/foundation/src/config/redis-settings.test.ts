import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
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

const encrypted = { REDIS_URL: 'rediss://h' };

function aFile(content: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-ca-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'ca.pem'), content);
  return join(directory, 'ca.pem');
}

test.each([
  encrypted,
  { UPSTASH_REDIS_REST_URL: 'https://x.upstash.io', UPSTASH_REDIS_REST_TOKEN: 'token' },
  { ...sentinel, REDIS_SENTINELS: 'rediss://a:1,b:2' },
  { REDIS_CLUSTER_NODES: 'rediss://a:1,b:2' },
])('reads the authorities of REDIS_TLS_CA once, and REDIS_TLS_VERIFY, for %o', (env) => {
  const file = aFile(`a comment\n${rootCertificates.slice(0, 2).join('\n')}\n`);
  expect(readSettings({ ...env, REDIS_TLS_CA: file }).redis.connection).toMatchObject({
    ca: readFileSync(file, 'utf8'),
    verifiesCertificate: true,
  });
  const { connection } = readSettings({ ...env, REDIS_TLS_VERIFY: 'false' }).redis;
  expect(connection).toMatchObject({ verifiesCertificate: false });
  expect(connection).not.toHaveProperty('ca');
});

const [aCertificate = ''] = rootCertificates;

test.each<[string, () => Record<string, string>, RegExp]>([
  ['is not there', () => ({ REDIS_TLS_CA: '/no/such/file.pem' }), /does not exist/],
  ['cannot be read', () => ({ REDIS_TLS_CA: tmpdir() }), /cannot be read \(EISDIR\)/],
  ['is not a PEM', () => ({ REDIS_TLS_CA: aFile('secret-word') }), /no certificate/],
  [
    'holds a broken certificate',
    () => ({ REDIS_TLS_CA: aFile(`${aCertificate}\n${aCertificate.replace('MII', 'AAA')}`) }),
    /certificate 2 .*not valid/,
  ],
  ['is the certificate itself', () => ({ REDIS_TLS_CA: aCertificate }), /path of a file/],
  [
    'is of no use without TLS',
    () => ({ REDIS_URL: 'redis://h', REDIS_TLS_CA: aFile(aCertificate) }),
    /rediss:/,
  ],
])('REDIS_TLS_CA that %s is a problem beside the others', (_what, env, message) => {
  const errors = problemsOf({ ...encrypted, ...env(), PORT: 'none' });
  expect(errors).toEqual([
    expect.objectContaining({ path: 'PORT' }),
    { path: 'REDIS_TLS_CA', message: expect.stringMatching(message) as string },
  ]);
  expect(JSON.stringify(errors)).not.toMatch(/secret-word|MII/);
});

test.each([{ REDIS_URL: 'redis://h' }, { REDIS_URL: '/run/redis.sock' }, {}])(
  'REDIS_TLS_VERIFY=false without TLS is a problem: %o',
  (env) => {
    expect(problemsOf({ ...env, REDIS_TLS_VERIFY: 'false' })).toEqual([
      { path: 'REDIS_TLS_VERIFY', message: expect.stringContaining('rediss:') as string },
    ]);
    expect(problemsOf({ ...env, REDIS_TLS_VERIFY: 'true' })).toEqual([]);
  },
);

test('an address that cannot be read is the only problem of an encrypted one', () => {
  const errors = problemsOf({ REDIS_URL: 'rediss://h?x=1', REDIS_TLS_VERIFY: 'false' });
  expect(errors.map(({ path }) => path)).toEqual(['REDIS_URL']);
});
