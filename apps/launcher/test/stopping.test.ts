import { expect, it } from 'vitest';
import { createSandbox, untilGone } from './support/launcher-process.js';

it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  'stops the parts, then Redis, and exits 0 on %s',
  async (signal) => {
    const sandbox = createSandbox();
    const launcher = await sandbox.startAndWait({ PART_STOP_MS: '200' });
    const processes = sandbox.running();
    expect(processes.map((one) => one.role).toSorted()).toEqual(['guard', 'part', 'redis']);
    launcher.child.kill(signal);
    expect(await launcher.ended).toEqual({ code: 0, signal: null });
    expect(sandbox.journal()).toEqual(['started', 'stopping', 'stopped redis-answers']);
    await untilGone(processes);
  },
);

it('treats a Ctrl-C that arrives twice, and at the whole group, as one', async () => {
  const sandbox = createSandbox();
  const launcher = await sandbox.startAndWait({ PART_STOP_MS: '300' });
  process.kill(-launcher.pid, 'SIGINT');
  launcher.child.kill('SIGINT');
  expect(await launcher.ended).toEqual({ code: 0, signal: null });
  expect(sandbox.journal()).toEqual(['started', 'stopping', 'stopped redis-answers']);
});

it('kills a part that does not stop within its budget, and still stops Redis in order', async () => {
  const sandbox = createSandbox();
  const launcher = await sandbox.startAndWait({ PART_STOP_MS: '60000', SHUTDOWN_TIMEOUT_SECONDS: '1' });
  const redis = sandbox.connect();
  await redis.set('kept', 'yes');
  launcher.child.kill('SIGTERM');
  expect(await launcher.ended).toEqual({ code: 0, signal: null });
  expect(sandbox.journal()).toEqual(['started', 'stopping']);
  expect(sandbox.running()).toEqual([]);
});

it('stops cleanly while it is still starting', async () => {
  const sandbox = createSandbox();
  const launcher = sandbox.start();
  await launcher.untilEvent('part.started');
  launcher.child.kill('SIGTERM');
  expect((await launcher.ended).code).toBe(0);
  expect(sandbox.running()).toEqual([]);
});
