import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { embeddedRedis } from '../src/embedded-redis.js';
import { processesOn } from './support/launcher-process.js';

it('leaves no server after a stop that came while one was launched', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'holdfast-launcher-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const searchPath = process.env['PATH'] ?? '';
  const redis = await embeddedRedis(dataDir, searchPath, silentLogger);
  const starting = redis.start().then(
    () => 'started',
    (error: unknown) => error,
  );
  await redis.stop(AbortSignal.timeout(5_000));
  expect(await starting).toMatchObject({ code: 'SHUTTING_DOWN' });
  expect(processesOn(dataDir)).toEqual([]);
});
