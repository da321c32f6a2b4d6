export {
  type AssetPage,
  type AssetRef,
  type ChangesRequest,
  type HostAsset,
  type HostBudget,
  type HostFile,
  type HostHealth,
  isHalfSpent,
  type ListRequest,
  type MediaHost,
  type PutRequest,
  type PutResult,
  type ShownAssets,
  type UnreadableAsset,
} from './media-host.js';
export { createMediaHost, type MediaHostOptions, openAssetBytes } from './create-media-host.js';
export { HostFailure, isCircuitOpen, isTransientHostError, isUnreadableAsset } from './failures.js';
export { findOwnAssets, type OwnAsset } from './find-own-assets.js';
export type { PartSizes } from './cloudinary/upload.js';
export { signUpload, type SignedUpload, type UploadToSign } from './cloudinary/signing.js';
export { createLocalHost, LOCAL_RESERVE_BYTES, type LocalHostOptions } from './local/local-host.js';
export { holdsMedia } from './local/local-listing.js';
export { openLocalFile, type LocalFile } from './local/open-local-file.js';
