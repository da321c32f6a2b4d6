import { startCloudinaryEmulator, type EmulatorOptions } from '@holdfast/cloudinary-emulator';
import { onTestFinished } from 'vitest';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { createCloudinaryHost, type CloudinaryHostOptions } from '../cloudinary/cloudinary-host.js';

/** A host on an emulator of its own, both closed when the test ends. */
export async function emulatedHost(
  emulated: EmulatorOptions = {},
  options: Partial<CloudinaryHostOptions> = {},
) {
  const emulator = await startCloudinaryEmulator(emulated);
  onTestFinished(() => emulator.close());
  const settings = readSettings({ CLOUDINARY_URL: emulator.cloudinaryUrl }).host;
  if (settings.kind !== 'cloudinary') throw new Error('CLOUDINARY_URL names Cloudinary');
  const host = createCloudinaryHost(settings, { uploadSlots: 8, log: silentLogger, ...options });
  onTestFinished(() => host.close());
  return { emulator, host, settings };
}
