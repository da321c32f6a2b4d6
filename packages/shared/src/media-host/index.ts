export type {
  AssetPage,
  AssetRef,
  ChangesRequest,
  HostAsset,
  HostBudget,
  HostHealth,
  ListRequest,
  MediaHost,
  PutRequest,
  PutResult,
} from './media-host.js';
