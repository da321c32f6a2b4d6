import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { makeDataFolder } from './data-folder.js';

const run = promisify(execFile);
const module = new URL('../../dist/config/data-folder.js', import.meta.url).href;
const canMount = await run('unshare', ['-rm', 'true']).then(
  () => true,
  () => false,
);

async function folder(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-folder-'));
  onTestFinished(() => rm(root, { recursive: true }));
  return root;
}

it('makes the folder and what is missing above it', async () => {
  const path = join(await folder(), 'a', 'b');
  await makeDataFolder(path, 0o700);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  await makeDataFolder(path);
});

it.skipIf(!canMount)('says that the disk is read-only', async () => {
  const root = await folder();
  const script = `import('${module}').then((m) => m.makeDataFolder('${root}/a/b')).catch((e) => console.log(e.code))`;
  const mounted = `mount -t tmpfs -o ro none '${root}' && '${process.execPath}' -e "${script}"`;
  expect((await run('unshare', ['-rm', 'sh', '-c', mounted])).stdout).toBe('EROFS\n');
});
