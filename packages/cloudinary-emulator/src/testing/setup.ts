import { onTestFinished } from 'vitest';
import {
  startCloudinaryEmulator,
  type CloudinaryEmulator,
  type EmulatorOptions,
} from '../start-cloudinary-emulator.js';
import { sdkFor, type Sdk } from './sdk-for.js';

/** A fresh emulator and the SDK for it; closed when the test ends. */
export async function setup(
  options: EmulatorOptions = {},
): Promise<{ emulator: CloudinaryEmulator; sdk: Sdk }> {
  const emulator = await startCloudinaryEmulator(options);
  onTestFinished(() => emulator.close());
  return { emulator, sdk: await sdkFor(emulator) };
}
