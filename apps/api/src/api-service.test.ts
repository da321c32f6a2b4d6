import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { silentLogger, type Logger } from '@holdfast/foundation/logging';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openApi } from './api-service.js';

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());

/** What an API with these settings warns of at its start. */
async function warningsAtStart(env: Environment): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-start-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const warnings: string[] = [];
  const log: Logger = { ...silentLogger, warn: (event) => warnings.push(event) };
  const all = { REDIS_URL: redis.url, DATA_DIR: folder, PORT: '0', ALLOW_ANONYMOUS: 'true', ...env };
  const service = await openApi(readSettings(all), log, all);
  await service.start();
  await service.stop(AbortSignal.timeout(5_000));
  return warnings;
}

it.each([
  ['all addresses', { HOST: '0.0.0.0' }, true],
  [
    'all addresses, and has a public one',
    { HOST: '0.0.0.0', PUBLIC_URL: 'https://media.example.com' },
    false,
  ],
  ['this machine', {}, false],
])(
  'warns of file addresses that other machines cannot open where it listens on %s: %j',
  async (_what, env, expected) => {
    expect((await warningsAtStart(env)).includes('http.no_public_url')).toBe(expected);
  },
);

it.each([
  ['CLOUDINARY_URI', true],
  ['SOMETHING_ELSE', false],
])('warns of settings under a wrong name: %s: %j', async (name, expected) => {
  expect((await warningsAtStart({ [name]: 'x' })).includes('config.unread_setting')).toBe(expected);
});
