import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { loadEnvFile, needsEmbeddedRedis } from './environment.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-env-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

it('says in one line that it is a folder, and ends the process', () => {
  const exit = vi.spyOn(process, 'exit').mockImplementation((() => undefined) as typeof process.exit);
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  loadEnvFile(folder);
  expect(exit.mock.calls).toEqual([[1]]);
  expect(said.mock.calls.map(([text]) => text)).toEqual([
    `CONFIG_INVALID: ${folder} cannot be read (EISDIR: illegal operation on a directory, read)\n`,
  ]);
});

it('reads what is not set yet, and does without a file', () => {
  const file = join(folder, '.env');
  loadEnvFile(file);
  vi.stubEnv('HOLDFAST_TEST_SET', 'before');
  vi.stubEnv('HOLDFAST_TEST_UNSET', undefined);
  writeFileSync(file, 'HOLDFAST_TEST_SET=file\nHOLDFAST_TEST_UNSET=file\n');
  loadEnvFile(file);
  expect([process.env['HOLDFAST_TEST_SET'], process.env['HOLDFAST_TEST_UNSET']]).toEqual(['before', 'file']);
});

it.each([
  { env: {}, needed: true },
  { env: { REDIS_URL: '' }, needed: true },
  { env: { HOLDFAST_EMBEDDED_REDIS: 'redis://127.0.0.1:1' }, needed: true },
  { env: { REDIS_URL: 'redis://127.0.0.1:6379' }, needed: false },
  { env: { REDIS_CLUSTER_NODES: 'a:1,b:2' }, needed: false },
  { env: { PORT: 'not a number' }, needed: false },
])('answers $needed for $env', ({ env, needed }) => {
  expect(needsEmbeddedRedis(env)).toBe(needed);
});
