import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createSandbox, untilGone, type Sandbox } from './support/launcher-process.js';

const killAll = (sandbox: Sandbox, ...roles: string[]): void => {
  for (const role of roles) for (const { pid } of sandbox.running(role)) process.kill(pid, 'SIGKILL');
};

it('ends the parts and then Redis when the launcher is killed', async () => {
  const sandbox = createSandbox();
  const launcher = await sandbox.startAndWait({ PART_STOP_MS: '200' });
  const processes = sandbox.running();
  await launcher.kill();
  await untilGone(processes);
  expect(sandbox.journal()).toEqual(['started', 'stopping', 'stopped redis-answers']);
});

it('still ends everything when the guard was killed before the launcher', async () => {
  const sandbox = createSandbox();
  const launcher = await sandbox.startAndWait();
  killAll(sandbox, 'guard');
  await launcher.untilEvent('guard.ended');
  await expect.poll(() => sandbox.running('guard').length).toBe(1);
  const processes = sandbox.running();
  await launcher.kill();
  await untilGone(processes);
});

it('finds all data after everything was killed at once', async () => {
  const sandbox = createSandbox();
  const launcher = await sandbox.startAndWait();
  await sandbox.connect().set('kept', 'yes');
  const processes = sandbox.running();
  await launcher.kill();
  killAll(sandbox, 'guard', 'part', 'redis');
  await untilGone(processes);
  await sandbox.startAndWait();
  expect(await sandbox.connect().get('kept')).toBe('yes');
});

it('ends an orphaned Redis and part of an earlier start before it opens the folder', async () => {
  const sandbox = createSandbox();
  const first = await sandbox.startAndWait();
  await sandbox.connect().set('kept', 'yes');
  const orphans = [...sandbox.running('redis'), ...sandbox.running('part')];
  killAll(sandbox, 'guard');
  await first.kill();
  // The guard's death and the launcher's came too close together for a new guard.
  expect(orphans.length).toBe(2);
  const second = await sandbox.startAndWait();
  await untilGone(orphans);
  expect(second.events('remains.ended')).toHaveLength(1);
  expect(await sandbox.connect().get('kept')).toBe('yes');
});

it('finds an orphaned Redis that the launcher had no time to write down', async () => {
  const sandbox = createSandbox();
  const first = await sandbox.startAndWait();
  await sandbox.connect().set('kept', 'yes');
  const [orphan] = sandbox.running('redis');
  killAll(sandbox, 'guard');
  await first.kill();
  killAll(sandbox, 'part');
  rmSync(join(sandbox.redisDir, 'processes.json'));
  const second = await sandbox.startAndWait();
  expect(second.events('remains.found')[0]).toMatchObject({
    processes: [{ role: 'redis', pid: orphan?.pid }],
  });
  expect(await sandbox.connect().get('kept')).toBe('yes');
});

it('ends an orphaned Redis that no longer reacts', async () => {
  const sandbox = createSandbox();
  const first = await sandbox.startAndWait();
  const orphans = sandbox.running('redis');
  killAll(sandbox, 'guard');
  await first.kill();
  killAll(sandbox, 'part');
  for (const { pid } of orphans) process.kill(pid, 'SIGSTOP');
  const second = await sandbox.startAndWait();
  await untilGone(orphans);
  expect(second.events('remains.ended')[0]).toMatchObject({ count: 1 });
});

it('waits for the guard of a start that was killed a moment ago', async () => {
  const sandbox = createSandbox();
  const first = await sandbox.startAndWait({ PART_STOP_MS: '1000' });
  await sandbox.connect().set('kept', 'yes');
  await first.kill();
  await sandbox.startAndWait();
  expect(await sandbox.connect().get('kept')).toBe('yes');
  // It got its full time: nobody killed it, and Redis was there until its end.
  expect(sandbox.journal()).toEqual(['started', 'stopping', 'stopped redis-answers', 'started']);
});
