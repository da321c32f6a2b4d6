import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { embeddedSetting } from '../src/environment.js';
import { createSandbox, untilGone } from './support/launcher-process.js';

it('runs a real server that syncs every write and evicts nothing', async () => {
  const sandbox = createSandbox();
  await sandbox.startAndWait();
  const redis = sandbox.connect();
  const pairs = await redis.config('GET', 'append*', 'maxmemory-policy', 'save', 'port');
  const value = (name: string): string | undefined => pairs[pairs.indexOf(name) + 1];
  expect(value('appendonly')).toBe('yes');
  expect(value('appendfsync')).toBe('always');
  expect(value('maxmemory-policy')).toBe('noeviction');
  expect(value('save')).toBe('');
  expect(value('port')).toBe('0');
});

it('starts a killed Redis again, with its data', async () => {
  const sandbox = createSandbox();
  const launcher = await sandbox.startAndWait();
  const redis = sandbox.connect();
  await redis.set('kept', 'yes');
  for (const { pid } of sandbox.running('redis')) process.kill(pid, 'SIGKILL');
  await launcher.untilEvent('part.restarted');
  expect(launcher.events('part.ended')[0]).toMatchObject({ part: 'redis', signal: 'SIGKILL' });
  expect(await redis.get('kept')).toBe('yes');
});

it.each(['', `${'deep'.repeat(20)}-`])(
  'is found by the commands while it runs, and only then (folder %s)',
  async (name) => {
    const sandbox = createSandbox(`holdfast-${name}`);
    const found = () => embeddedSetting({ DATA_DIR: sandbox.dataDir })['HOLDFAST_EMBEDDED_REDIS'];
    expect(found()).toBeUndefined();
    const launcher = await sandbox.startAndWait();
    const redis = new Redis(found() ?? 'nothing');
    onTestFinished(() => redis.disconnect());
    expect(await redis.config('GET', 'dir')).toEqual(['dir', sandbox.redisDir]);
    expect(statSync(join(sandbox.redisDir, 'redis.address')).mode & 0o777).toBe(0o600);
    // A Redis that is configured is used instead, whatever runs.
    expect(embeddedSetting({ DATA_DIR: sandbox.dataDir, REDIS_URL: 'redis://h' })).toEqual({});
    const processes = sandbox.running();
    await launcher.kill();
    await untilGone(processes);
    expect(existsSync(join(sandbox.redisDir, 'redis.address'))).toBe(true);
    expect(found()).toBeUndefined();
  },
);

it('takes a loopback port with a password where the folder is too deep for a socket', async () => {
  const sandbox = createSandbox(`holdfast-${'deep'.repeat(20)}-`);
  const launcher = await sandbox.startAndWait();
  expect(existsSync(join(sandbox.redisDir, 'redis.sock'))).toBe(false);
  const address = partEnvironment(sandbox.running('part')[0]?.pid ?? 0)['HOLDFAST_EMBEDDED_REDIS'] ?? '';
  expect(address).toMatch(/^redis:\/\/:[0-9a-f]{48}@127\.0\.0\.1:\d+$/);
  const redis = new Redis(address);
  onTestFinished(() => redis.disconnect());
  expect(await redis.ping()).toBe('PONG');
  const stranger = new Redis(address.replace(/:[0-9a-f]{48}@/, ''), { retryStrategy: () => null });
  stranger.on('error', () => undefined);
  onTestFinished(() => stranger.disconnect());
  await expect(stranger.set('a', 'b')).rejects.toThrow(/NOAUTH|closed/);
  const password = new URL(address).password;
  expect(readFileSync(`/proc/${String(sandbox.running('redis')[0]?.pid)}/cmdline`, 'utf8')).not.toContain(
    password,
  );
  expect(launcher.output()).not.toContain(password);
});

it('loads a folder that holds a snapshot only, instead of starting empty', async () => {
  const sandbox = createSandbox();
  mkdirSync(sandbox.redisDir, { recursive: true });
  await writeSnapshot(sandbox.redisDir);
  const first = await sandbox.startAndWait();
  expect(first.events('redis.snapshot_adopted')[0]).toMatchObject({ keys: 1 });
  expect(await sandbox.connect().get('old')).toBe('data');
  await sandbox.connect().set('old', 'newer');
  first.child.kill('SIGTERM');
  await first.ended;
  const second = await sandbox.startAndWait();
  expect(second.events('redis.snapshot_found')).toEqual([]);
  expect(await sandbox.connect().get('old')).toBe('newer');
});

it('ends with the way to install a server where there is none', async () => {
  const sandbox = createSandbox();
  const launcher = sandbox.start({ PATH: sandbox.pathWithOnly() });
  expect((await launcher.ended).code).toBe(1);
  expect(launcher.output()).toContain('REDIS_SERVER_MISSING: ');
  expect(launcher.output()).toContain('apt-get install redis-server');
  expect(sandbox.journal()).toEqual([]);
});

it('brings no Redis of its own where one is configured', async () => {
  const sandbox = createSandbox();
  const launcher = await sandbox.startAndWait({ REDIS_URL: 'redis://127.0.0.1:1' });
  expect(existsSync(sandbox.redisDir)).toBe(false);
  launcher.child.kill('SIGTERM');
  expect((await launcher.ended).code).toBe(0);
  expect(sandbox.journal()).toEqual(['started', 'stopping', 'stopped no-redis']);
});

function partEnvironment(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${String(pid)}/environ`, 'utf8').split('\0');
  return Object.fromEntries(
    lines.map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]),
  );
}

/** What a server without an append-only file leaves behind. */
async function writeSnapshot(directory: string): Promise<void> {
  const socket = join(directory, 'old.sock');
  const server = spawn('redis-server', [
    '--port',
    '0',
    '--unixsocket',
    socket,
    '--dir',
    directory,
    '--save',
    '',
  ]);
  onTestFinished(() => void server.kill('SIGKILL'));
  const redis = new Redis({ path: socket, retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  await redis.set('old', 'data');
  await redis.save();
  redis.disconnect();
  server.kill('SIGTERM');
  await once(server, 'exit');
  expect(readdirSync(directory)).toContain('dump.rdb');
}
