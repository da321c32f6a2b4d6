import { expect, it } from 'vitest';
import { createSandbox } from './support/launcher-process.js';

it('starts a part that was killed again', async () => {
  const sandbox = createSandbox();
  const launcher = await sandbox.startAndWait();
  for (const { pid } of sandbox.running('part')) process.kill(pid, 'SIGKILL');
  await launcher.untilEvent('part.restarted');
  await expect.poll(() => sandbox.journal()).toEqual(['started', 'started']);
});

it('waits longer before each restart of a part that keeps dying', async () => {
  const sandbox = createSandbox();
  const launcher = sandbox.start({ PART_EXIT_CODE: '3' });
  await launcher.untilEvent('part.ended', 4);
  expect(launcher.events('part.ended').map((event) => event['restartMs'])).toEqual([200, 400, 800, 1600]);
});

it('ends the whole start with the code of a part that refuses its settings', async () => {
  const sandbox = createSandbox();
  const launcher = sandbox.start({ PART_EXIT_CODE: '1' });
  expect(await launcher.ended).toEqual({ code: 1, signal: null });
  expect(launcher.output()).toContain('CONFIG_INVALID: the part refused to start');
  expect(launcher.events('part.restarted')).toEqual([]);
  expect(sandbox.running()).toEqual([]);
});

it('reports every problem of the settings before anything starts', async () => {
  const sandbox = createSandbox();
  const launcher = sandbox.start({ PORT: 'abc', SHUTDOWN_TIMEOUT_SECONDS: '0', API_KEYS: 'x:admin' });
  expect((await launcher.ended).code).toBe(1);
  expect(launcher.output()).toMatch(/^CONFIG_INVALID: /);
  for (const name of ['PORT', 'SHUTDOWN_TIMEOUT_SECONDS', 'API_KEYS'])
    expect(launcher.output()).toContain(name);
  expect(sandbox.running()).toEqual([]);
});

it('refuses an API that would be open to the network without a key', async () => {
  const launcher = createSandbox().start({ HOST: '0.0.0.0' });
  expect((await launcher.ended).code).toBe(1);
  expect(launcher.output()).toContain('API_KEYS');
});
