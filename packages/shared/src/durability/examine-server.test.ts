import { expect, it, onTestFinished } from 'vitest';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { silentLogger } from '@holdfast/foundation/logging';
import {
  freePort,
  startClusterSandbox,
  startManagedRedis,
  startRedisSandbox,
  type ManagedRedis,
  type ManagedService,
  upstashErrors,
} from '../testing/index.js';
import { examineServer, type Examination } from './examine-server.js';

async function rent(service: Partial<ManagedService> = {}): Promise<ManagedRedis> {
  const redis = await startManagedRedis(service);
  onTestFinished(() => redis.close());
  return redis;
}

const examine = (env: Environment): Promise<Examination> =>
  examineServer(readSettings(env).redis, silentLogger);

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

it('names a database that is not there', async () => {
  const { url } = await rent();
  expect(await refusal({ REDIS_URL: `${url}/777` })).toMatch(
    /REDIS_URL\nDatabase: ERR DB index is out of range.*REDIS_PREFIX/,
  );
});

it.each([
  ['standard', 'Redis', (text: string) => text],
  [
    'upstash',
    'Upstash Redis',
    (text: string) => text.replace('redis_version', 'upstash_version:1.13.3\r\nredis_version'),
  ],
])(
  'takes the profile %s from what the server says of itself, unless one is set',
  async (profile, storageType, info) => {
    const { env } = await rent({ info });
    expect((await examine(env)).redis).toMatchObject({ profile, storageType });
    expect((await examine({ ...env, REDIS_PROFILE: 'standard' })).redis.profile).toBe('standard');
  },
);

it('goes on where nobody answers, and where the server refuses for now', async () => {
  const nobody = await examine({ REDIS_URL: `redis://127.0.0.1:${String(await freePort())}` });
  expect(nobody).toMatchObject({ examined: null, redis: { profile: null } });
  const { env } = await rent({ answers: { EVAL: '-LOADING Redis is loading the dataset in memory' } });
  expect((await examine(env)).examined).not.toBeNull();
});

it('takes what is refused for want of quota for no fact about the server', async () => {
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
