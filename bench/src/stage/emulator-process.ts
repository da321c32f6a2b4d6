import { fileURLToPath } from 'node:url';
import { connectToEmulator, type EmulatorControl } from '@holdfast/cloudinary-emulator';
import { freePort } from '@holdfast/shared/testing';
import type { CleanUp } from './clean-up.js';
import { startProgram } from './program.js';

/** The media host in a process of its own; it enforces no rate limit and keeps no bytes, unless they are asked for later. */
export async function startEmulator(
  folder: string,
  cleanUp: CleanUp,
  bytes: 'discard' | 'memory' = 'discard',
): Promise<EmulatorControl> {
  const port = await freePort();
  const main = fileURLToPath(new URL('main.js', import.meta.resolve('@holdfast/cloudinary-emulator')));
  const env = { PORT: String(port), EMULATOR_BYTES: bytes, EMULATOR_RATE_LIMIT_PER_HOUR: '1000000' };
  const program = await startProgram(main, env, folder, cleanUp);
  const url = `http://127.0.0.1:${String(port)}`;
  await program.waitFor(`${url}/__emulator`);
  return connectToEmulator(url);
}
