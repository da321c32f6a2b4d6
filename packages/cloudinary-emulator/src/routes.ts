import { listByAssetFolder, listByContext, listByTag, listResources } from './admin-api/list-resources.js';
import { listByAssetIds, showByAssetId, showResource } from './admin-api/show-resource.js';
import type { Route } from './http/route.js';
import { destroy } from './upload-api/destroy.js';
import { editContext, editMetadata, editTags } from './upload-api/edit-many.js';
import { explicit } from './upload-api/explicit.js';
import { rename } from './upload-api/rename.js';
import { openUpload, upload } from './upload-api/upload.js';

/** Every endpoint of the emulated API. Order matters: the first match wins. */
export const routes: readonly Route[] = [
  { method: 'POST', path: ':rt/upload', endpoint: 'upload', api: 'file', open: openUpload, handle: upload },
  {
    method: 'POST',
    path: ':rt/upload_chunked',
    endpoint: 'upload',
    api: 'file',
    open: openUpload,
    handle: upload,
  },
  { method: 'POST', path: ':rt/explicit', endpoint: 'explicit', api: 'signed', handle: explicit },
  { method: 'POST', path: ':rt/destroy', endpoint: 'destroy', api: 'signed', handle: destroy },
  { method: 'POST', path: ':rt/rename', endpoint: 'rename', api: 'signed', handle: rename },
  { method: 'POST', path: ':rt/tags', endpoint: 'tags', api: 'signed', handle: editTags },
  { method: 'POST', path: ':rt/context', endpoint: 'context', api: 'signed', handle: editContext },
  { method: 'POST', path: ':rt/metadata', endpoint: 'metadata', api: 'signed', handle: editMetadata },

  {
    method: 'GET',
    path: 'resources/by_asset_ids',
    endpoint: 'list-by-asset-ids',
    api: 'admin',
    handle: listByAssetIds,
  },
  {
    method: 'GET',
    path: 'resources/by_asset_folder',
    endpoint: 'list-by-asset-folder',
    api: 'admin',
    handle: listByAssetFolder,
  },
  {
    method: 'GET',
    path: 'resources/:rt/tags/:tag',
    endpoint: 'list-by-tag',
    api: 'admin',
    handle: listByTag,
  },
  {
    method: 'GET',
    path: 'resources/:rt/context',
    endpoint: 'list-by-context',
    api: 'admin',
    handle: listByContext,
  },
  { method: 'GET', path: 'resources/:rt', endpoint: 'list', api: 'admin', handle: listResources },
  { method: 'GET', path: 'resources/:rt/:type', endpoint: 'list', api: 'admin', handle: listResources },
  {
    method: 'GET',
    path: 'resources/:asset_id',
    endpoint: 'show-by-asset-id',
    api: 'admin',
    handle: showByAssetId,
  },
  {
    method: 'GET',
    path: 'resources/:rt/:type/:public_id',
    endpoint: 'show',
    api: 'admin',
    handle: showResource,
  },
];
