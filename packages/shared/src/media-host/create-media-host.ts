import type { HostSettings } from '../config/index.js';
import type { Logger } from '../logging/index.js';
import { createCloudinaryHost, type CloudinaryHostOptions } from './cloudinary/cloudinary-host.js';
import { guardHost } from './guarded-host.js';
import { createLocalHost } from './local/local-host.js';
import type { MediaHost } from './media-host.js';

/** What a media host needs of the process that uses it. */
export interface MediaHostOptions extends Pick<CloudinaryHostOptions, 'timeouts' | 'parts'> {
  /** Uploads that usually run at once in this process; no limit. Cloudinary keeps so many sockets. */
  uploadSlots: number;
  log: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** The host that the settings name, behind a circuit where it is in the network. Rejects with HOST_REJECTED or STORAGE_FULL when the local folder cannot be used. */
export async function createMediaHost(settings: HostSettings, options: MediaHostOptions): Promise<MediaHost> {
  return settings.kind === 'cloudinary'
    ? guardHost(createCloudinaryHost(settings, options), { folder: settings.folder, log: options.log })
    : createLocalHost(settings, options);
}
