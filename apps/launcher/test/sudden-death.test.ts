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

it('ends an orphaned Redis of an earlier start before it opens the folder', async () => {
  const sandbox = createSandbox();
  const first = await sandbox.startAndWait();
  await sandbox.connect().set('kept', 'yes');
  const orphans = sandbox.running('redis');
  killAll(sandbox.running('guard'));
  await first.kill();
  await untilGone(sandbox.running('part'));
  expect(sandbox.running()).toEqual(orphans);
  const second = await sandbox.startAndWait();
  await untilGone(orphans);
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
