import { expect, it, onTestFinished } from 'vitest';
import { Redis } from 'ioredis';
import { startFaultProxy, startRedisSandbox } from '../testing/index.js';
import { isFsyncHonest } from './fsync-honesty.js';
import { readServerFacts, type ServerFacts } from './server-facts.js';

/** A server that hides its policy, over a line that takes so long each way. */
async function hidden(args: readonly string[], delayMs = 0) {
  const sandbox = await startRedisSandbox(args);
  onTestFinished(() => sandbox.close());
  const line = await startFaultProxy(sandbox.port);
  onTestFinished(() => line.close());
  const client = new Redis({ host: '127.0.0.1', port: line.port });
  onTestFinished(() => client.disconnect());
  const facts = { ...(await readServerFacts(sandbox.client)), aofEnabled: null, fsyncPolicy: null };
  if (delayMs > 0) line.set({ kind: 'delay', ms: delayMs });
  return (over: Partial<ServerFacts>) => isFsyncHonest(client, '{holdfast}:barrier', { ...facts, ...over });
}

it('does not take a long way to the server for the time that a disk takes', async () => {
  const believes = await hidden(['--appendfsync', 'always'], 100);
  expect(await believes({ version: '7.4.0' })).toBe(false);
});

it('believes what takes as long as a disk does, over a long way too', async () => {
  const believes = await hidden(['--appendfsync', 'everysec'], 100);
  expect(await believes({ version: '7.4.0' })).toBe(true);
});

it.each([
  ['a Redis that is known to be honest', { server: 'redis', version: '8.0.0' }, true],
  ['Upstash, which documents what its answer means', { server: 'upstash', version: '1.13.3' }, true],
  ['a Redis before 8', { server: 'redis', version: '7.4.0' }, false],
  ['a Valkey', { server: 'valkey', version: '8.1.0' }, false],
] as const)('of %s that confirms at once: %o is believed: %s', async (_what, server, believed) => {
  const believes = await hidden(['--appendfsync', 'always']);
  expect(await believes(server)).toBe(believed);
});

it.each([
  ['refuses to confirm', ['--appendonly', 'no']],
  ['confirms nothing', ['--appendfsync', 'no']],
])('believes no server that %s', async (_what, args) => {
  const believes = await hidden(args);
  expect(await believes({ server: 'redis', version: '8.0.0' })).toBe(false);
});
