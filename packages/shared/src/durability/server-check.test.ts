import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger, type LogFields } from '@holdfast/foundation/logging';
import { startManagedRedis, type ManagedRedis, type ManagedService } from '../testing/index.js';
import { examineServer, type Examination } from './examine-server.js';
import { createServerCheck } from './server-check.js';

const unknown = (command: string): string => `-ERR unknown command '${command}'`;

async function aCheck(service: Partial<ManagedService>, { wasAway = false, replicas = '0' } = {}) {
  const redis = await startManagedRedis(service);
  onTestFinished(() => redis.close());
  const settings = readSettings({ ...redis.env, DURABILITY_REPLICAS: replicas });
  const examination: Examination = wasAway
    ? { redis: settings.redis, examined: null }
    : await examineServer(settings.redis, silentLogger);
  const logged: [string, LogFields | undefined][] = [];
  const note = (event: string, fields?: LogFields): void => void logged.push([event, fields]);
  const log = { ...silentLogger, info: note, warn: note };
  const check = createServerCheck({ examination, durability: settings.durability, log });
  const client = new Redis(redis.url, { maxRetriesPerRequest: null, connectionName: 'check' });
  onTestFinished(() => client.disconnect());
  const look = async (): Promise<string[]> => {
    await check.look(client);
    return check.findings().map(({ code }) => code);
  };
  return { redis, check, look, logged };
}

const trials = (redis: ManagedRedis): number => redis.counts()['check']?.['BZPOPMIN'] ?? 0;

it('tries a server that was away at the start once, and the one that takes its place', async () => {
  const { redis, check, look, logged } = await aCheck(
    { answers: { BZPOPMIN: unknown('BZPOPMIN') } },
    { wasAway: true },
  );
  expect(await look()).toEqual(['REDIS_UNSUITABLE']);
  expect(await look()).toEqual(['REDIS_UNSUITABLE']);
  expect(check.isSuitable()).toBe(false);
  expect(trials(redis)).toBe(1);
  expect(logged.map(([event]) => event)).toEqual(['redis.finding']);
  await redis.configure({ answers: {} });
  await redis.server.restart();
  expect(await look()).toEqual([]);
  expect(check.isSuitable()).toBe(true);
});

it('does not try again what the start has examined', async () => {
  const { redis, look } = await aCheck({});
  expect(await look()).toEqual([]);
  expect(trials(redis)).toBe(0);
});

it('finds nothing lacking on a server that refuses for now', async () => {
  const { look } = await aCheck(
    { answers: { EVAL: '-LOADING Redis is loading', BZPOPMIN: '-LOADING Redis is loading' } },
    { wasAway: true },
  );
  expect(await look()).toEqual([]);
});

it.each([
  ['0', ['WAITAOF', 'CLIENT LIST']],
  ['1', ['ROLE', 'WAIT', 'WAITAOF', 'CLIENT LIST']],
])('tells what is missing and not needed, with %s replicas', async (replicas, names) => {
  const commands = ['ROLE', 'WAIT', 'WAITAOF', 'CLIENT LIST', 'CONFIG GET'];
  const answers = Object.fromEntries(commands.map((command) => [command, unknown(command)]));
  const { check, look } = await aCheck({ answers }, { replicas });
  expect(await look()).toEqual(['REDIS_LIMITED']);
  const [finding] = check.findings();
  expect(finding?.severity).toBe('notice');
  expect([...(finding?.message ?? '').matchAll(/No ([A-Z ]+):/g)].map(([, name]) => name)).toEqual(names);
});

it('warns where the server is another kind than the start could see', async () => {
  const info = (text: string): string =>
    text.replace('redis_version', 'upstash_version:1.13.3\r\nredis_version');
  const { look, logged } = await aCheck({ info }, { wasAway: true });
  await look();
  expect(logged).toContainEqual(['redis.profile_differs', { profile: 'standard', found: 'upstash' }]);
});
