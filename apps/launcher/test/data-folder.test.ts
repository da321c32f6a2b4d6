import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createSandbox, findProgram } from './support/launcher-process.js';

it('refuses a second start on the same data and leaves the first one alone', async () => {
  const sandbox = createSandbox();
  const first = await sandbox.startAndWait();
  const second = sandbox.start();
  expect((await second.ended).code).toBe(1);
  expect(second.output()).toContain('DATA_DIR_IN_USE: ');
  expect(second.output()).toContain(`process ${String(first.pid)}`);
  expect(await sandbox.connect().ping()).toBe('PONG');
  expect(first.child.exitCode).toBeNull();
});

it('lets exactly one of several starts at the same moment have the data', async () => {
  const sandbox = createSandbox();
  const starts = [sandbox.start(), sandbox.start(), sandbox.start()];
  const first = await Promise.race(starts.map(async (one) => one.untilEvent('part.started').then(() => one)));
  const others = starts.filter((one) => one !== first);
  for (const other of others) {
    expect((await other.ended).code).toBe(1);
    expect(other.output()).toContain('DATA_DIR_IN_USE');
  }
  expect(sandbox.running('redis')).toHaveLength(1);
});

it('waits for a start that is stopping, instead of refusing', async () => {
  const sandbox = createSandbox();
  const mayStop = join(sandbox.redisDir, '..', 'may-stop');
  const first = await sandbox.startAndWait({ PART_STOPS_ONCE_THERE: mayStop });
  await sandbox.connect().set('kept', 'yes');
  first.child.kill('SIGTERM');
  await first.untilEvent('process.stopping');
  await expect.poll(() => sandbox.journal()).toContain('stopping');
  const second = sandbox.start();
  await second.untilEvent('folder.waiting');
  writeFileSync(mayStop, '');
  await expect.poll(() => sandbox.journal()).toHaveLength(4);
  expect(sandbox.journal()).toEqual(['started', 'stopping', 'stopped redis-answers', 'started']);
  expect(await sandbox.connect().get('kept')).toBe('yes');
});

it('refuses a folder that something else has open', async () => {
  const sandbox = createSandbox();
  mkdirSync(sandbox.redisDir, { recursive: true });
  const stranger = spawn('flock', [join(sandbox.redisDir, 'processes.lock'), 'sleep', '60'], {
    detached: true,
  });
  onTestFinished(() => void process.kill(-(stranger.pid ?? 0), 'SIGKILL'));
  await expect.poll(() => readLock(sandbox.redisDir)).toBeDefined();
  const launcher = sandbox.start();
  expect((await launcher.ended).code).toBe(1);
  expect(launcher.output()).toContain('DATA_DIR_IN_USE');
});

it.each([
  ['its lock', 'launcher.lock', /\(E[A-Z]+: /],
  ["its server's address", 'redis.address.next', /ENOSPC/],
])('names the folder that has no room for %s', async (_what, file, reason) => {
  const sandbox = createSandbox();
  mkdirSync(sandbox.redisDir, { recursive: true });
  // Opens, and refuses every write as a full disk does.
  symlinkSync('/dev/full', join(sandbox.redisDir, file));
  const launcher = sandbox.start();
  expect((await launcher.ended).code).toBe(1);
  const said = launcher.output().trimEnd().split('\n').at(-1) ?? '';
  expect(said).toContain(`REDIS_START_FAILED: The folder ${sandbox.redisDir} cannot be used (`);
  expect(said).toMatch(reason);
  expect(sandbox.running()).toEqual([]);
});

it('refuses a folder that the server would leave aside and start empty', async () => {
  const sandbox = createSandbox();
  mkdirSync(sandbox.redisDir, { recursive: true });
  writeFileSync(join(sandbox.redisDir, 'dump.rdb'), '');
  const launcher = sandbox.start();
  expect((await launcher.ended).code).toBe(1);
  expect(launcher.output()).toContain('DATA_DIR_INCOMPATIBLE: ');
});

it.skipIf(findProgram('valkey-server') === undefined)(
  'refuses to open with Valkey what Redis wrote',
  async () => {
    const sandbox = createSandbox();
    const first = await sandbox.startAndWait({ PATH: sandbox.pathWithOnly('redis-server') });
    await sandbox.connect().set('kept', 'yes');
    first.child.kill('SIGTERM');
    await first.ended;
    const second = sandbox.start({ PATH: sandbox.pathWithOnly('valkey-server') });
    expect((await second.ended).code).toBe(1);
    expect(second.output()).toContain('DATA_DIR_INCOMPATIBLE: ');
    expect(sandbox.running()).toEqual([]);
    await sandbox.startAndWait({ PATH: sandbox.pathWithOnly('redis-server') });
    expect(await sandbox.connect().get('kept')).toBe('yes');
  },
);

it.skipIf(findProgram('valkey-server') === undefined)(
  'runs on Valkey where that is what there is',
  async () => {
    const sandbox = createSandbox();
    const env = { PATH: sandbox.pathWithOnly('valkey-server') };
    const first = await sandbox.startAndWait(env);
    expect(await sandbox.connect().info('server')).toContain('valkey_version');
    await sandbox.connect().set('kept', 'yes');
    first.child.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);
    await sandbox.startAndWait(env);
    expect(await sandbox.connect().get('kept')).toBe('yes');
  },
);

function readLock(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, 'processes.lock'), 'utf8');
  } catch {
    return undefined;
  }
}
