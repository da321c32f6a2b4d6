import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { identify, isRunning } from '../src/processes/processes.js';
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
  const first = await Promise.race(starts.map(async (one) => one.untilEvent('redis.ready').then(() => one)));
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
  ["its server's kind", 'server.json.next', /ENOSPC/],
  ["its server's settings", 'redis.conf', /ENOSPC/],
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

it('does not touch a process that only has the number of an earlier one', async () => {
  const sandbox = createSandbox();
  const bystander = spawn('sleep', ['60']);
  onTestFinished(() => void bystander.kill('SIGKILL'));
  const identity = identify(bystander.pid ?? 0);
  if (identity === undefined) throw new Error('the bystander does not run');
  mkdirSync(sandbox.redisDir, { recursive: true });
  const old = { role: 'redis', pid: identity.pid, birth: 'another boot 1' };
  writeFileSync(join(sandbox.redisDir, 'processes.json'), JSON.stringify([old]));
  await sandbox.startAndWait();
  expect(isRunning(identity)).toBe(true);
});

it('remembers the server that wrote the folder and goes on with it when there are others', async () => {
  const sandbox = createSandbox();
  const first = await sandbox.startAndWait({ PATH: sandbox.pathWithOnly('redis-server') });
  first.child.kill('SIGTERM');
  await first.ended;
  const remembered = JSON.parse(readFileSync(join(sandbox.redisDir, 'server.json'), 'utf8')) as unknown;
  expect(remembered).toEqual({ kind: 'redis', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string });
  const second = await sandbox.startAndWait({
    PATH: `${sandbox.pathWithOnly('valkey-server')}:${sandbox.pathWithOnly('redis-server')}`,
  });
  expect(second.events('redis.ready')[0]).toMatchObject({ kind: 'redis' });
});

it.skipIf(findProgram('valkey-server') === undefined)(
  'refuses to open with Valkey what Redis wrote',
  async () => {
    const sandbox = createSandbox();
    const first = await sandbox.startAndWait({ PATH: sandbox.pathWithOnly('redis-server') });
    first.child.kill('SIGTERM');
    await first.ended;
    const second = sandbox.start({ PATH: sandbox.pathWithOnly('valkey-server') });
    expect((await second.ended).code).toBe(1);
    expect(second.output()).toContain('DATA_DIR_INCOMPATIBLE: ');
    expect(second.output()).toContain('was written by redis-server');
  },
);

it.skipIf(findProgram('valkey-server') === undefined)(
  'runs on Valkey where that is what there is',
  async () => {
    const sandbox = createSandbox();
    const env = { PATH: sandbox.pathWithOnly('valkey-server') };
    const first = await sandbox.startAndWait(env);
    expect(first.events('redis.ready')[0]).toMatchObject({ kind: 'valkey' });
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
