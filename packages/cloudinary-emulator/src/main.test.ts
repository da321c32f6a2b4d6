import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { connectToEmulator } from './control/connect-to-emulator.js';

/** Built by `npm test` before the tests run. */
const command = fileURLToPath(new URL('../dist/main.js', import.meta.url));

test('the command serves the real SDK in another process and stops on SIGTERM', async () => {
  const emulator = spawn(process.execPath, [command], {
    env: { EMULATOR_SEED: '20' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void emulator.kill('SIGKILL'));
  const exit = once(emulator, 'exit');
  let cloudinaryUrl = '';
  for await (const line of createInterface({ input: emulator.stdout })) {
    if (!line.startsWith('CLOUDINARY_URL=')) continue;
    cloudinaryUrl = line.slice('CLOUDINARY_URL='.length);
    break;
  }

  // The way users point the SDK at it: nothing but CLOUDINARY_URL in the environment.
  const script = `import { v2 } from 'cloudinary'; console.log((await v2.api.resources()).resources.length)`;
  const client = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { CLOUDINARY_URL: cloudinaryUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void client.kill('SIGKILL'));
  const [output] = (await once(client.stdout, 'data')) as [Buffer];
  expect(output.toString().trim()).toBe('10');
  await once(client, 'exit');

  const remote = await connectToEmulator(new URL(cloudinaryUrl).searchParams.get('upload_prefix') ?? '');
  expect((await remote.requests.counters()).byEndpoint).toEqual({ list: 1 });
  emulator.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});
