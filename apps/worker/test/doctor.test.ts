import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { expect, it, onTestFinished } from 'vitest';

const HOLDFAST = fileURLToPath(new URL('../dist/holdfast.js', import.meta.url));

it('leaves nothing for ever: what a killed doctor has put on the host, the next one removes', async () => {
  const emulator = await startCloudinaryEmulator({ responseDelayMs: 100, searchLagMs: 60_000 });
  onTestFinished(() => emulator.close());
  await emulator.assets.seed(20);
  const before = await emulator.assets.list();
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const env = {
    PATH: process.env['PATH'],
    DATA_DIR: directory,
    CLOUDINARY_URL: emulator.cloudinaryUrl,
    API_KEYS: 'web:write:a-secret-of-somebody',
  };

  const doctor = spawn(process.execPath, [HOLDFAST, 'doctor'], { env, stdio: 'ignore' });
  const ended = once(doctor, 'exit');
  onTestFinished(() => void doctor.kill('SIGKILL'));
  // Image, parts, PDF and private file: it waits for the search.
  await expect.poll(() => emulator.assets.count(), { interval: 20 }).toBe(24);
  doctor.kill('SIGKILL');
  await ended;

  await emulator.configure({ responseDelayMs: 0, searchLagMs: 0 });
  // Its search may not show the same names again so soon, which is an error of the account.
  await promisify(execFile)(process.execPath, [HOLDFAST, 'doctor', '--json'], { env }).catch(() => undefined);
  expect(await emulator.assets.list()).toEqual(before);
});
