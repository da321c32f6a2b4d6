import { ping, showConfig, showUsage } from './admin-api/account.js';
import { deleteByAssetIds, deleteByTag, deleteResources } from './admin-api/delete-resources.js';
import { listByAssetFolder, listByContext, listByTag, listResources } from './admin-api/list-resources.js';
import { listByAssetIds, showByAssetId, showResource } from './admin-api/show-resource.js';
import { search } from './admin-api/search.js';
import { updateResource } from './admin-api/update-resource.js';
import type { Route } from './http/route.js';
import { destroy } from './upload-api/destroy.js';
import { editContext, editMetadata, editTags } from './upload-api/edit-many.js';
import { explicit } from './upload-api/explicit.js';
import { rename } from './upload-api/rename.js';
import { existingUpload, openUpload, upload } from './upload-api/upload.js';

const uploadRoute = { open: openUpload, early: existingUpload, handle: upload };

/** Every endpoint of the emulated API. Order matters: the first match wins. */
export const routes: readonly Route[] = [
  { method: 'POST', path: ':rt/upload', endpoint: 'upload', api: 'file', ...uploadRoute },
  { method: 'POST', path: ':rt/upload_chunked', endpoint: 'upload', api: 'file', ...uploadRoute },
  { method: 'POST', path: ':rt/explicit', endpoint: 'explicit', api: 'signed', handle: explicit },
  { method: 'POST', path: ':rt/destroy', endpoint: 'destroy', api: 'signed', handle: destroy },
  { method: 'POST', path: ':rt/rename', endpoint: 'rename', api: 'signed', handle: rename },
  { method: 'POST', path: ':rt/tags', endpoint: 'tags', api: 'signed', handle: editTags },
  { method: 'POST', path: ':rt/context', endpoint: 'context', api: 'signed', handle: editContext },
  { method: 'POST', path: ':rt/metadata', endpoint: 'metadata', api: 'signed', handle: editMetadata },
  { method: 'GET', path: ':rt/download', endpoint: 'download', api: 'download' },

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
  { method: 'POST', path: 'resources/search', endpoint: 'search', api: 'admin', handle: search },
  {
    method: 'POST',
    path: 'resources/:rt/:type/:public_id',
    endpoint: 'update',
    api: 'admin',
    handle: updateResource,
  },
  {
    method: 'DELETE',
    path: 'resources',
    endpoint: 'delete-by-asset-ids',
    api: 'admin',
    handle: deleteByAssetIds,
  },
  {
    method: 'DELETE',
    path: 'resources/:rt/:type',
    endpoint: 'delete-resources',
    api: 'admin',
    handle: deleteResources,
  },
  {
    method: 'DELETE',
    path: 'resources/:rt/tags/:tag',
    endpoint: 'delete-by-tag',
    api: 'admin',
    handle: deleteByTag,
  },
  { method: 'GET', path: 'usage', endpoint: 'usage', api: 'admin', handle: showUsage },
  { method: 'GET', path: 'ping', endpoint: 'ping', api: 'admin', handle: ping },
  { method: 'GET', path: 'config', endpoint: 'config', api: 'admin', handle: showConfig },
];
