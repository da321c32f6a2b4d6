import { startCloudinaryEmulator, type EmulatorOptions } from '@holdfast/cloudinary-emulator';
import { onTestFinished } from 'vitest';
import { readSettings, type CloudinarySettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { createCloudinaryHost } from '../cloudinary/cloudinary-host.js';
import type { CloudinaryOptions } from '../cloudinary/sdk.js';
import { guardHost } from '../guarded-host.js';
import type { MediaHost } from '../media-host.js';

/** A host on an emulator of its own, both closed when the test ends. */
export async function emulatedHost(emulated: EmulatorOptions = {}, options: Partial<CloudinaryOptions> = {}) {
  const emulator = await startCloudinaryEmulator(emulated);
  onTestFinished(() => emulator.close());
  const settings = readSettings({ CLOUDINARY_URL: emulator.cloudinaryUrl }).host;
  if (settings.kind !== 'cloudinary') throw new Error('CLOUDINARY_URL names Cloudinary');
  const host = cloudinaryHost(settings, options);
  onTestFinished(() => host.close());
  return { emulator, host, settings };
}

/** A Cloudinary host with its health, and without a circuit. */
export function cloudinaryHost(
  settings: CloudinarySettings,
  options: Partial<CloudinaryOptions> = {},
): MediaHost {
  const given = { log: silentLogger, ...options };
  return guardHost(createCloudinaryHost(settings, given), { log: given.log });
}
