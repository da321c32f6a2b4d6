import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { findServer } from './embedded-redis.js';

/** A search path with a program for each of these answers to `--version`, named as given. */
function pathWith(programs: readonly (readonly [name: string, answer: string])[]): string[] {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-programs-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  return programs.map(([name, answer], index) => {
    const folder = join(root, String(index));
    mkdirSync(folder);
    writeFileSync(join(folder, name), `#!/bin/sh\necho '${answer}'\n`);
    chmodSync(join(folder, name), 0o755);
    return folder;
  });
}

it('takes the first server that is new enough, by what the program says and not by its name', async () => {
  const folders = pathWith([
    ['redis-server', 'something else'],
    ['redis-server', 'Redis server v=6.2.7 sha=00000000:0 malloc=jemalloc'],
    ['redis-server', 'Valkey server v=8.1.1 sha=00000000:0'],
    ['valkey-server', 'Valkey server v=9.0.0 sha=00000000:0'],
  ]);
  expect(await findServer(['/nowhere', ...folders].join(delimiter))).toBe(
    join(folders[2] ?? '', 'redis-server'),
  );
});

it.each([
  [[], /there is no redis-server or valkey-server on PATH/],
  [[['redis-server', 'Redis server v=6.0.16 sha=0']], /is version 6\.0\.16; 7\.0 or newer is needed/],
] as const)('refuses where there is none: %j', async (programs, reason) => {
  await expect(findServer(pathWith(programs).join(delimiter))).rejects.toMatchObject({
    code: 'REDIS_SERVER_MISSING',
    message: expect.stringMatching(reason),
  });
});
