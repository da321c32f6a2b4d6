import { expect, it, onTestFinished, vi } from 'vitest';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { silentLogger, type LogFields } from '@holdfast/foundation/logging';
import { closeRedis, connectRedis } from '../redis/index.js';
import {
  freePort,
  startClusterSandbox,
  startManagedRedis,
  startRedisSandbox,
  upstashErrors,
  type ManagedRedis,
  type ManagedService,
} from '../testing/index.js';
import { createServerMonitor, examineServer } from './server-monitor.js';

async function rent(service: Partial<ManagedService> = {}): Promise<ManagedRedis> {
  const redis = await startManagedRedis(service);
  onTestFinished(() => redis.close());
  return redis;
}

const examine = (env: Environment) => examineServer(readSettings(env).redis, silentLogger);

/** What it is refused for, in one text. */
async function refusal(env: Environment): Promise<string> {
  const error = await examine(env).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof HoldfastError) || error.code !== 'REDIS_UNSUITABLE') throw new Error(String(error));
  return [error.message, ...(error.errors ?? []).map(({ path, message }) => `${path} ${message}`)].join('\n');
}

const unknown = (command: string): string => `-ERR unknown command '${command}', with args beginning with: `;

it.each([
  [
    'EVAL',
    unknown('EVAL'),
    /^Redis 8\.\S+ at 127\.0\.0\.1:\d+ lacks what Holdfast needs\nScripts: ERR unknown command 'EVAL'/,
  ],
  [
    'EVAL',
    '-ERR Error running script (call to f_1): @user_script:9: script tried accessing undeclared key',
    /\nKeys in scripts: ERR .*undeclared key.* --default_lua_flags=allow-undeclared-keys\.$/,
  ],
  ['EVAL', '-MOVED 1234 10.0.0.7:6379', /\nKeys on one server: MOVED .*REDIS_CLUSTER_NODES/],
  ['MULTI', "-ERR Command is not available: 'MULTI'.", /\nTransactions: .* proxy/],
  // As ElastiCache Serverless: scripts, and transactions, but not the one in the other.
  [
    'EVAL RETURN 1',
    '-ERR command not supported inside transaction',
    /\nTransactions: .*not supported inside/,
  ],
  ['BZPOPMIN', '-ERR BZPOPMIN is not supported', /\nBlocking commands: .* proxy/],
])('ends the start where %s answers %s', async (command, answer, words) => {
  const { env } = await rent({ answers: { [command]: answer } });
  expect(await refusal(env)).toMatch(words);
});

it('names a node of a cluster that holds other keys than ours, which its own address does not reach', async () => {
  const cluster = await startClusterSandbox();
  onTestFinished(() => cluster.close());
  const nodes = (cluster.env['REDIS_CLUSTER_NODES'] ?? '').split(',');
  const refusals = await Promise.all(
    nodes.map((node) =>
      refusal({ REDIS_URL: `redis://${node}` }).then(
        (text) => /REDIS_CLUSTER_NODES/.test(text),
        () => false,
      ),
    ),
  );
  expect(refusals).toContain(true);
  expect((await examine(cluster.env)).examined).not.toBeNull();
});

it.each([
  ['standard', 'Redis', (text: string) => text],
  [
    'upstash',
    'Upstash Redis',
    (text: string) => text.replace('redis_version', 'upstash_version:1.13.3\r\nredis_version'),
  ],
])(
  'derives the profile %s from what the server reports, unless one is set',
  async (profile, storageType, info) => {
    const { env } = await rent({ info });
    expect((await examine(env)).redis).toMatchObject({ profile, storageType });
    expect((await examine({ ...env, REDIS_PROFILE: 'standard' })).redis.profile).toBe('standard');
  },
);

it('continues without an answer, and if the server refuses for now', async () => {
  const nobody = await examine({ REDIS_URL: `redis://127.0.0.1:${String(await freePort())}` });
  expect(nobody).toMatchObject({ examined: null, redis: { profile: null } });
  const { env } = await rent({ answers: { EVAL: '-LOADING Redis is loading the dataset in memory' } });
  expect((await examine(env)).examined).not.toBeNull();
});

it('does not mistake a spent quota for a fact about the server', async () => {
  const { env } = await rent({ quota: { left: 0, error: upstashErrors.quota } });
  const { examined } = await examine(env);
  expect(examined?.results.filter(({ outcome }) => outcome === 'lacking') ?? []).toEqual([]);
});

it('leaves neither a key nor a connection', async () => {
  const sandbox = await startRedisSandbox();
  onTestFinished(() => sandbox.close());
  await examine(sandbox.env);
  expect(await sandbox.client.keys('*')).toEqual([]);
  await expect.poll(async () => String(await sandbox.client.client('LIST'))).not.toContain('name=holdfast');
});

it.each([
  "-ERR Command is not available: 'HELLO'.",
  '-NOPERM User default has no permissions to run the hello command',
])('needs no HELLO: %s', async (answer) => {
  const { env } = await rent({ answers: { HELLO: answer } });
  expect((await examine(env)).examined).not.toBeNull();
});

/** `wasAway`: Redis did not serve at the start. */
async function monitored(env: Environment, { wasAway = false } = {}) {
  const { redis: given, durability } = readSettings(env);
  const { redis, examined } = wasAway
    ? { redis: given, examined: null }
    : await examineServer(given, silentLogger);
  const logged: [string, LogFields | undefined][] = [];
  const note = (event: string, fields?: LogFields): void => void logged.push([event, fields]);
  const log = { ...silentLogger, info: note, warn: note };
  const client = connectRedis(redis.connection, 'background', silentLogger);
  onTestFinished(() => closeRedis(client));
  const monitor = createServerMonitor(client, { redis, durability }, examined, log);
  onTestFinished(() => monitor.close());
  await new Promise<void>((resolve) => void client.once('ready', () => resolve()));
  const codes = async (): Promise<string[]> => (await monitor.findings()).map(({ code }) => code);
  const events = (): string[] => logged.map(([event]) => event);
  return { monitor, codes, logged, events };
}

const trials = (redis: ManagedRedis): number => redis.counts()['holdfast-background']?.['BZPOPMIN'] ?? 0;

it('tries a server that was away at the start once, and the one that takes its place', async () => {
  const redis = await rent({ answers: { BZPOPMIN: unknown('BZPOPMIN') } });
  const { codes, logged } = await monitored(redis.env, { wasAway: true });
  expect(await codes()).toContain('REDIS_UNSUITABLE');
  expect(await codes()).toContain('REDIS_UNSUITABLE');
  expect(trials(redis)).toBe(1);
  const unsuitable = logged.filter(([, fields]) => JSON.stringify(fields).includes('REDIS_UNSUITABLE'));
  expect(unsuitable.map(([event]) => event)).toEqual(['redis.finding']);
  await redis.configure({ answers: {} });
  await redis.server.restart();
  await expect.poll(codes).not.toContain('REDIS_UNSUITABLE');
});

it('tries once a minute what was refused, however often it is looked at', async () => {
  const redis = await rent({ answers: { BZPOPMIN: '-NOPERM this user has no permissions to run it' } });
  const { codes } = await monitored(redis.env);
  expect(await codes()).toEqual(['RIGHTS_MISSING']);
  const before = trials(redis);
  const start = performance.now();
  const clock = vi.spyOn(performance, 'now');
  onTestFinished(() => clock.mockRestore());
  for (let seconds = 3; seconds <= 59; seconds += 3) {
    clock.mockReturnValue(start + seconds * 1_000);
    expect(await codes()).toEqual(['RIGHTS_MISSING']);
  }
  expect(trials(redis)).toBe(before);
  await redis.configure({ answers: {} });
  clock.mockReturnValue(start + 70_000);
  expect(await codes()).toEqual([]);
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

it('reports a server that does not answer INFO', async () => {
  const { monitor } = await monitored((await rent({ answers: { INFO: unknown('INFO') } })).env);
  const limited = (await monitor.findings()).find(({ code }) => code === 'REDIS_LIMITED');
  expect(limited?.message).toMatch(/^No INFO: /);
});

it('notices the successor of an unsuitable server, also one that refused to be looked at first', async () => {
  const redis = await rent({ answers: { MULTI: unknown('MULTI') } });
  const { codes, events } = await monitored(redis.env, { wasAway: true });
  expect(await codes()).toContain('REDIS_UNSUITABLE');
  const quota = { left: 1, error: upstashErrors.quota, free: ['HELLO', 'AUTH', 'CLIENT'] };
  await redis.configure({ answers: {}, quota });
  await redis.server.restart();
  await expect.poll(events, { timeout: 5_000 }).toContain('server.not_judged');
  await redis.configure({ quota: null });
  await expect.poll(codes, { timeout: 15_000 }).not.toContain('REDIS_UNSUITABLE');
});

it('follows the settings of a running server, and believes none that cannot be looked at', async () => {
  const redis = await rent();
  const { monitor, events } = await monitored(redis.env);
  const { client } = redis.server;
  const becomes = (believes: boolean) =>
    // A look counts for two seconds.
    vi.waitFor(async () => {
      await monitor.judged();
      expect(monitor.believesFsync()).toBe(believes);
    }, 5_000);
  await becomes(true);
  await client.config('SET', 'appendfsync', 'no');
  await becomes(false);
  await client.config('SET', 'appendfsync', 'everysec');
  await becomes(true);
  await redis.configure({ answers: { INFO: '-LOADING Redis is loading' } });
  await becomes(false);
  expect(events()).toContain('server.not_judged');
});
