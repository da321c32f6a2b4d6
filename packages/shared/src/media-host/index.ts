import type { HostSettings } from '@holdfast/foundation/config';
import { createCloudinaryHost } from './cloudinary/cloudinary-host.js';
import type { CloudinaryOptions } from './cloudinary/sdk.js';
import { guardHost } from './guarded-host.js';
import { createLocalHost } from './local/local-host.js';
import type { MediaHost } from './media-host.js';

export {
  type AssetPage,
  type AssetRef,
  findOwnAssets,
  type HostAsset,
  type HostBudget,
  HostFailure,
  type HostFile,
  isCircuitOpen,
  isHalfSpent,
  isTransientHostError,
  isUnreadableAsset,
  type ListRequest,
  type MediaHost,
  type OwnAsset,
  type PutResult,
  type ShownAssets,
} from './media-host.js';
export { createLocalHost, LOCAL_RESERVE_BYTES } from './local/local-host.js';
export { holdsMedia } from './local/local-listing.js';
export { openLocalFile, type LocalFile } from './local/open-local-file.js';
export type { CloudinaryOptions as MediaHostOptions };

/** The host that the settings name. Rejects with HOST_REJECTED or STORAGE_FULL when the local folder cannot be used. */
export async function createMediaHost(
  settings: HostSettings,
  options: CloudinaryOptions,
): Promise<MediaHost> {
  if (settings.kind === 'local') return createLocalHost(settings, options);
  const host = createCloudinaryHost(settings, options);
  return guardHost(host, { ...options, circuit: { folder: settings.folder } });
}
