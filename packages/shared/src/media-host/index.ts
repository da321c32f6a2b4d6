export type {
  AssetPage,
  AssetRef,
  ChangesRequest,
  HostAsset,
  HostBudget,
  HostFile,
  HostHealth,
  ListRequest,
  MediaHost,
  PutRequest,
  PutResult,
  ShownAssets,
  UnreadableAsset,
} from './media-host.js';
export { createMediaHost, type MediaHostOptions } from './create-media-host.js';
export type { CircuitState } from './host-circuit.js';
export { isHostResting } from './host-resting.js';
export { findOwnAssets, type OwnAsset } from './find-own-assets.js';
export { HostFailure, isTransientHostError, isUnreadableAsset } from './host-failure.js';
export { openAssetBytes } from './open-asset-bytes.js';
export { openAccount, type AccountOptions, type CloudinaryAccount } from './cloudinary/open-account.js';
export { signUpload, type SignedUpload, type UploadToSign } from './cloudinary/sign-upload.js';
export { createLocalHost, LOCAL_RESERVE_BYTES, type LocalHostOptions } from './local/local-host.js';
export { holdsMedia } from './local/holds-media.js';
export { openLocalFile, type LocalFile } from './local/open-local-file.js';
export { isHalfSpent } from './half-spent.js';
