import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { startRedisSandbox } from '../testing/index.js';
import { readServerFacts } from './server-facts.js';
import { lackFindings } from './server-findings.js';
import { probeServer, serverProbes, type ProbeResult } from './server-probes.js';

async function aServer(args: readonly string[] = [], binary?: string) {
  const sandbox = await startRedisSandbox(args, binary);
  onTestFinished(() => sandbox.close());
  return sandbox;
}

async function probe(client: Redis): Promise<ProbeResult[]> {
  return probeServer(client, readSettings({}).redis, await readServerFacts(client));
}

const outcomes = (results: readonly ProbeResult[]): Record<string, string> =>
  Object.fromEntries(
    results
      .filter(({ outcome }) => outcome !== 'there')
      .map(({ probe: { name }, outcome }) => [name, outcome]),
  );

it.each(['redis-server', 'valkey-server'])('finds all there on %s, and leaves no key', async (binary) => {
  const { client } = await aServer([], binary);
  const results = await probe(client);
  expect(results.filter(({ outcome }) => outcome !== 'there')).toEqual([]);
  expect(results).toHaveLength(serverProbes.length);
  expect(await client.keys('*')).toEqual([]);
});

it('asks little of a server', async () => {
  const { client } = await aServer();
  await client.config('RESETSTAT');
  await probe(client);
  const calls = [...(await client.info('commandstats')).matchAll(/calls=(\d+)/g)].map(([, n]) => Number(n));
  expect(calls.reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(25);
});

it.each([
  ['EVAL', 'Scripts'],
  ['ZMSCORE', 'ZMSCORE'],
  ['MULTI', 'Transactions'],
  ['BZPOPMIN', 'Blocking commands'],
  ['ROLE', 'ROLE'],
  ['WAIT', 'WAIT'],
  ['WAITAOF', 'WAITAOF'],
])('misses %s on a server without it', async (command, name) => {
  const { client } = await aServer(['--rename-command', command, '']);
  const lacking = (await probe(client)).filter(({ outcome }) => outcome === 'lacking');
  expect(lacking.map((result) => result.probe.name)).toEqual([name]);
});

it('misses what a user may not run only where that is not needed', async () => {
  const { client, url } = await aServer();
  await client.call(
    'ACL',
    'SETUSER',
    'few',
    'on',
    '>pw',
    '~*',
    '+@all',
    '-role',
    '-config',
    '-client|list',
    '-zmscore',
  );
  const few = new Redis(url.replace('//', '//few:pw@'));
  onTestFinished(() => few.disconnect());
  expect(outcomes(await probe(few))).toEqual({
    ZMSCORE: 'refused',
    ROLE: 'lacking',
    'CLIENT LIST': 'lacking',
  });
});

it('has a finding where a user may not run what workers need, and none where the server only has no room', async () => {
  const { client, url } = await aServer();
  await client.call('ACL', 'SETUSER', 'few', 'on', '>pw', '~*', '+@all', '-bzpopmin', '-zmscore');
  const few = new Redis(url.replace('//', '//few:pw@'));
  onTestFinished(() => few.disconnect());
  const findings = async (redis: Redis) =>
    lackFindings(
      { facts: await readServerFacts(redis), results: await probe(redis) },
      { required: undefined, replicas: 0 },
    );
  expect(await findings(few)).toEqual([
    expect.objectContaining({
      code: 'RIGHTS_MISSING',
      severity: 'error',
      message: expect.stringContaining('ZMSCORE, Blocking commands') as string,
    }),
  ]);
  await client.config('SET', 'maxmemory', '1');
  expect(await findings(client)).toEqual([]);
});

it('concludes nothing from a server that is full', async () => {
  const { client } = await aServer();
  await client.config('SET', 'maxmemory', '1');
  const results = await probe(client);
  expect(results.filter(({ outcome }) => outcome === 'lacking')).toEqual([]);
  expect(outcomes(results)).toMatchObject({ Scripts: 'refused' });
});
