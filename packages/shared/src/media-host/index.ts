export {
  type AssetPage,
  type AssetRef,
  type HostAsset,
  type HostBudget,
  type HostFile,
  isHalfSpent,
  type ListRequest,
  type MediaHost,
  type PutResult,
  type ShownAssets,
} from './media-host.js';
export { createMediaHost, openAssetBytes } from './create-media-host.js';
export type { CloudinaryHostOptions as MediaHostOptions } from './cloudinary/cloudinary-host.js';
export { HostFailure, isCircuitOpen, isTransientHostError, isUnreadableAsset } from './failures.js';
export { findOwnAssets, type OwnAsset } from './find-own-assets.js';
export type { PartSizes } from './cloudinary/upload.js';
export { signUpload } from './cloudinary/signing.js';
export { createLocalHost, LOCAL_RESERVE_BYTES } from './local/local-host.js';
export { holdsMedia } from './local/local-listing.js';
export { openLocalFile, type LocalFile } from './local/open-local-file.js';
