import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { embeddedRedis } from '../src/embedded-redis/embedded-redis.js';
import { chooseAddress } from '../src/embedded-redis/redis-server.js';

it('launches no server after a stop that came while one was looked for', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-launcher-'));
  const lockFd = openSync(join(directory, 'lock'), 'a');
  onTestFinished(() => {
    closeSync(lockFd);
    rmSync(directory, { recursive: true, force: true });
  });
  const launched: number[] = [];
  onTestFinished(() => {
    for (const pid of launched) process.kill(pid, 'SIGKILL');
  });
  const redis = embeddedRedis({
    directory,
    address: await chooseAddress(directory),
    lockFd,
    registry: { add: (_role, pid) => launched.push(pid), remove: () => undefined },
    log: silentLogger,
    searchPath: process.env['PATH'] ?? '',
  });
  const starting = redis.start().then(
    () => 'started',
    (error: unknown) => error,
  );
  await pause(0);
  await redis.stop(AbortSignal.timeout(5_000));
  expect(await starting).toMatchObject({ code: 'SHUTTING_DOWN' });
  expect(launched).toEqual([]);
});
