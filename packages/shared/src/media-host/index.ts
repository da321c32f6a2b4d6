import type { HostSettings } from '@holdfast/foundation/config';
import { createCloudinaryHost } from './cloudinary/cloudinary-host.js';
import type { CloudinaryOptions } from './cloudinary/sdk.js';
import { guardHost, type GuardOptions, PROBE_AFTER_MS } from './guarded-host.js';
import { createLocalHost } from './local/local-host.js';
import type { MediaHost } from './media-host.js';

export * from './media-host.js';
export { type HostObserver, isCircuitOpen } from './guarded-host.js';
export { LOCAL_RESERVE_BYTES } from './local/local-host.js';
export { holdsMedia } from './local/local-listing.js';
export * from './local/open-local-file.js';

export type MediaHostOptions = CloudinaryOptions & Pick<GuardOptions, 'observer'>;

/** The host that the settings name. Rejects with HOST_REJECTED or STORAGE_FULL when the local folder cannot be used. */
export async function createMediaHost(settings: HostSettings, options: MediaHostOptions): Promise<MediaHost> {
  if (settings.kind === 'local') return createLocalHost(settings, options);
  const host = createCloudinaryHost(settings, options);
  return guardHost(host, { ...options, probeAfterMs: PROBE_AFTER_MS });
}
