import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { createSandbox, killAll, untilGone } from './support/launcher-process.js';

it('ends the parts and Redis when the launcher is killed', async () => {
  const sandbox = createSandbox();
  const launcher = await sandbox.startAndWait();
  const processes = sandbox.running();
  await launcher.kill();
  await untilGone(processes);
  expect(processes).toHaveLength(3);
});

it('finds all data after everything was killed at once', async () => {
  const sandbox = createSandbox();
  const launcher = await sandbox.startAndWait();
  await sandbox.connect().set('kept', 'yes');
  const processes = sandbox.running();
  await launcher.kill();
  killAll(processes);
  await untilGone(processes);
  await sandbox.startAndWait();
  expect(await sandbox.connect().get('kept')).toBe('yes');
});

it('waits for what a start that was killed a moment ago leaves', async () => {
  const sandbox = createSandbox();
  const first = await sandbox.startAndWait();
  await sandbox.connect().set('kept', 'yes');
  const processes = sandbox.running();
  await first.kill();
  await sandbox.startAndWait();
  await untilGone(processes);
  expect(await sandbox.connect().get('kept')).toBe('yes');
});

it('ends Redis also when its guard is killed before the launcher', async () => {
  const sandbox = createSandbox();
  const launcher = await sandbox.startAndWait();
  const processes = sandbox.running();
  killAll(sandbox.running('guard'));
  await launcher.kill();
  await untilGone(processes);
  expect(processes).toHaveLength(3);
});

it('ends an orphaned Redis of an earlier start before it opens the folder', async () => {
  const sandbox = createSandbox();
  const first = await sandbox.startAndWait();
  await sandbox.connect().set('kept', 'yes');
  first.child.kill('SIGTERM');
  await first.ended;
  const server = 'redis-server --port 0 --unixsocket redis.sock --appendonly yes';
  const orphan = `exec 3>>processes.lock; flock -n 3 && exec ${server}`;
  spawn('sh', ['-c', orphan], { cwd: sandbox.redisDir, detached: true, stdio: 'ignore' }).unref();
  await expect.poll(() => sandbox.connect().get('kept'), { timeout: 10_000 }).toBe('yes');
  const orphans = sandbox.running('redis');
  const second = await sandbox.startAndWait();
  await untilGone(orphans);
  expect(orphans).toHaveLength(1);
  expect(second.events('remains.found')).toHaveLength(1);
  expect(await sandbox.connect().get('kept')).toBe('yes');
});

it('ends a Redis that no longer reacts', async () => {
  const sandbox = createSandbox();
  const first = await sandbox.startAndWait();
  const orphans = sandbox.running('redis');
  for (const { pid } of orphans) process.kill(pid, 'SIGSTOP');
  await first.kill();
  await sandbox.startAndWait();
  await untilGone(orphans);
  expect(sandbox.running('redis')).toHaveLength(1);
});
