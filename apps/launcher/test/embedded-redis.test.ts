import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

it.each(['', `${'deep'.repeat(20)}-`, '"x"\\y z-'])(
  'is found by the commands while it runs, and only then (folder %s)',
  async (name) => {
    const sandbox = createSandbox(`holdfast-${name}`);
    const found = async () =>
      (await embeddedSetting({ DATA_DIR: sandbox.dataDir }))['HOLDFAST_EMBEDDED_REDIS'];
    expect(await found()).toBeUndefined();
    const launcher = await sandbox.startAndWait();
    const redis = new Redis((await found()) ?? 'nothing');
    onTestFinished(() => redis.disconnect());
    expect(await redis.config('GET', 'dir')).toEqual(['dir', sandbox.redisDir]);
    // A Redis that is configured is used instead, whatever runs.
    expect(await embeddedSetting({ DATA_DIR: sandbox.dataDir, REDIS_URL: 'redis://h' })).toEqual({});
    const processes = sandbox.running();
    await launcher.kill();
    await untilGone(processes);
    expect(existsSync(join(sandbox.redisDir, 'redis.address'))).toBe(true);
    expect(await found()).toBeUndefined();
  },
);

it('listens in a folder of its own, which goes with it, where that of the data is too deep for a socket', async () => {
  const sandbox = createSandbox(`holdfast-${'deep'.repeat(20)}-`);
  const launcher = await sandbox.startAndWait();
  expect(existsSync(join(sandbox.redisDir, 'redis.sock'))).toBe(false);
  const path = partEnvironment(sandbox.running('part')[0]?.pid ?? 0)['HOLDFAST_EMBEDDED_REDIS'] ?? '';
  expect(statSync(path).isSocket()).toBe(true);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  launcher.child.kill('SIGTERM');
  expect((await launcher.ended).code).toBe(0);
  expect(existsSync(dirname(path))).toBe(false);
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
