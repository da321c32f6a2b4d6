import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { HostSettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { type CloudinaryHostOptions, createCloudinaryHost } from './cloudinary/cloudinary-host.js';
import { openAsset } from './cloudinary/downloads.js';
import { guardHost } from './guarded-host.js';
import { createLocalHost } from './local/local-host.js';
import { openLocalFile } from './local/open-local-file.js';
import type { HostAsset, MediaHost } from './media-host.js';

/** The host that the settings name. Rejects with HOST_REJECTED or STORAGE_FULL when the local folder cannot be used. */
export async function createMediaHost(
  settings: HostSettings,
  options: CloudinaryHostOptions,
): Promise<MediaHost> {
  if (settings.kind === 'local') return createLocalHost(settings, options);
  const host = createCloudinaryHost(settings, options);
  return guardHost(host, { ...options, circuit: { folder: settings.folder } });
}

/**
 * The stored bytes of an asset, as a stream that holds only what is on its way. Rejects with MEDIA_NOT_FOUND where the host
 * has none, else as the methods of MediaHost do; the stream fails when the host falls silent.
 */
export async function openAssetBytes(
  settings: HostSettings,
  asset: HostAsset,
  signal: AbortSignal,
): Promise<Readable> {
  if (settings.kind === 'cloudinary') return openAsset(settings, asset, signal);
  const file = await openLocalFile(settings, asset.url);
  if (file === null) throw new HoldfastError('MEDIA_NOT_FOUND', 'the local host has no bytes of this file');
  return createReadStream(file.path, { signal });
}
