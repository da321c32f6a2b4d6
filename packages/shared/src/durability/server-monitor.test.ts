import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { silentLogger, type LogFields } from '@holdfast/foundation/logging';
import { closeRedis, connectRedis } from '../redis/index.js';
import {
  startManagedRedis,
  startRedisSandbox,
  upstashErrors,
  type ManagedRedis,
  type ManagedService,
} from '../testing/index.js';
import { examineServer } from './examine-server.js';
import type { ServerFacts } from './server-facts.js';
import { createServerMonitor } from './server-monitor.js';

interface Setting {
  /** Redis did not serve at the start. */
  wasAway?: boolean;
  freshMs?: number;
}

async function monitored(env: Environment, { wasAway = false, freshMs = 0 }: Setting = {}) {
  const { redis: given, durability } = readSettings(env);
  const { redis, examined } = wasAway
    ? { redis: given, examined: null }
    : await examineServer(given, silentLogger);
  const logged: [string, LogFields | undefined][] = [];
  const note = (event: string, fields?: LogFields): void => void logged.push([event, fields]);
  const log = { ...silentLogger, info: note, warn: note };
  const suitable: boolean[] = [];
  const client = connectRedis(redis.connection, 'background', silentLogger);
  onTestFinished(() => closeRedis(client));
  const onFacts = (_: ServerFacts, isSuitable: boolean): void => void suitable.push(isSuitable);
  const monitor = createServerMonitor({
    redis: client,
    settings: { redis, durability },
    examined,
    freshMs,
    onFacts,
    log,
  });
  onTestFinished(() => monitor.close());
  await new Promise<void>((resolve) => void client.once('ready', () => resolve()));
  const codes = async (): Promise<string[]> => (await monitor.findings()).map(({ code }) => code);
  const events = (): string[] => logged.map(([event]) => event);
  return { monitor, codes, logged, events, suitable };
}

async function rent(service: Partial<ManagedService> = {}): Promise<ManagedRedis> {
  const redis = await startManagedRedis(service);
  onTestFinished(() => redis.close());
  return redis;
}

const unknown = (command: string): string => `-ERR unknown command '${command}'`;
const trials = (redis: ManagedRedis): number => redis.counts()['holdfast-background']?.['BZPOPMIN'] ?? 0;

it('tries a server that was away at the start once, and the one that takes its place', async () => {
  const redis = await rent({ answers: { BZPOPMIN: unknown('BZPOPMIN') } });
  const { codes, logged, suitable } = await monitored(redis.env, { wasAway: true });
  expect(await codes()).toContain('REDIS_UNSUITABLE');
  expect(await codes()).toContain('REDIS_UNSUITABLE');
  expect(suitable.at(-1)).toBe(false);
  expect(trials(redis)).toBe(1);
  const unsuitable = logged.filter(([, fields]) => JSON.stringify(fields).includes('REDIS_UNSUITABLE'));
  expect(unsuitable.map(([event]) => event)).toEqual(['redis.finding']);
  await redis.configure({ answers: {} });
  await redis.server.restart();
  await vi.waitFor(() => expect(suitable.at(-1)).toBe(true));
  expect(await codes()).not.toContain('REDIS_UNSUITABLE');
});

it('does not try again what the start has examined', async () => {
  const redis = await rent();
  const { codes } = await monitored(redis.env);
  const before = trials(redis);
  expect(await codes()).toEqual([]);
  expect(trials(redis)).toBe(before);
});

it('finds nothing lacking on a server that refuses for now', async () => {
  const answers = { EVAL: '-LOADING Redis is loading', BZPOPMIN: '-LOADING Redis is loading' };
  const { codes } = await monitored((await rent({ answers })).env, { wasAway: true });
  expect(await codes()).toEqual([]);
});

it.each([
  ['0', ['WAITAOF', 'CLIENT LIST']],
  ['1', ['ROLE', 'WAIT', 'WAITAOF', 'CLIENT LIST']],
])('tells what is missing and not needed, with %s replicas', async (replicas, names) => {
  const commands = ['ROLE', 'WAIT', 'WAITAOF', 'CLIENT LIST', 'CONFIG GET'];
  const answers = Object.fromEntries(commands.map((command) => [command, unknown(command)]));
  const { env } = await rent({ answers });
  const { monitor } = await monitored({ ...env, DURABILITY_REPLICAS: replicas });
  const limited = (await monitor.findings()).find(({ code }) => code === 'REDIS_LIMITED');
  expect(limited?.severity).toBe('notice');
  expect([...(limited?.message ?? '').matchAll(/No ([A-Z ]+):/g)].map(([, name]) => name)).toEqual(names);
});

it('tells of a server that does not answer INFO', async () => {
  const { monitor } = await monitored((await rent({ answers: { INFO: unknown('INFO') } })).env);
  const limited = (await monitor.findings()).find(({ code }) => code === 'REDIS_LIMITED');
  expect(limited?.message).toMatch(/^No INFO: /);
});

it('warns where the server is another kind than the start could see', async () => {
  const info = (text: string): string =>
    text.replace('redis_version', 'upstash_version:1.13.3\r\nredis_version');
  const { codes, logged } = await monitored((await rent({ info })).env, { wasAway: true });
  await codes();
  expect(logged).toContainEqual(['redis.profile_differs', { profile: 'standard', found: 'upstash' }]);
});

it('notices the successor of an unsuitable server, also one that refused to be looked at first', async () => {
  const redis = await rent({ answers: { MULTI: unknown('MULTI') } });
  const { suitable, events } = await monitored(redis.env, { wasAway: true, freshMs: 60_000 });
  await expect.poll(() => suitable.at(-1)).toBe(false);
  const quota = { left: 1, error: upstashErrors.quota, free: ['HELLO', 'AUTH', 'CLIENT'] };
  await redis.configure({ answers: {}, quota });
  await redis.server.restart();
  await expect.poll(events, { timeout: 5_000 }).toContain('server.not_judged');
  await redis.configure({ quota: null });
  await expect.poll(() => suitable.at(-1), { timeout: 15_000 }).toBe(true);
});

it('believes a server that syncs every second once it was measured, and knows by the settings where they tell', async () => {
  const sandbox = await startRedisSandbox(['--appendfsync', 'everysec']);
  onTestFinished(() => sandbox.close());
  const { monitor, codes } = await monitored(sandbox.env);
  expect(monitor.believesFsync()).toBe(false);
  await monitor.judged();
  expect(monitor.believesFsync()).toBe(true);
  await sandbox.client.config('SET', 'appendfsync', 'no');
  await codes();
  expect(monitor.believesFsync()).toBe(false);
  await sandbox.client.config('SET', 'appendfsync', 'always');
  await monitor.judged();
  expect(monitor.believesFsync()).toBe(true);
});

it('keeps nothing that was measured of a server that was replaced meanwhile, and ends a measurement when it is closed', async () => {
  const sandbox = await startRedisSandbox(['--appendfsync', 'everysec']);
  onTestFinished(() => sandbox.close());
  const { monitor, codes, events } = await monitored(sandbox.env);
  await codes();
  await sandbox.client.config('SET', 'appendfsync', 'no');
  await monitor.judged();
  expect(monitor.believesFsync()).toBe(false);
  await sandbox.client.config('SET', 'appendfsync', 'everysec');
  await codes();
  await monitor.close();
  expect(monitor.believesFsync()).toBe(false);
  expect(events().filter((event) => event === 'server.judged')).toHaveLength(1);
});
