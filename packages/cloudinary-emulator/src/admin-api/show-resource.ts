import { ApiError, notFound } from '../api-error.js';
import type { ResourceType } from '../assets/asset.js';
import { detailJson } from '../assets/asset-json.js';
import { fieldList } from '../http/fields.js';
import type { Call, Reply } from '../http/route.js';
import { itemJson, type ListParts } from './list-resources.js';
import { shownAt } from './listing-share.js';

/** GET /resources/:rt/:type/:public_id */
export function showResource(call: Call, { account, assets, settings }: ListParts): Reply {
  const { rt, type = '', public_id: publicId = '' } = call.path;
  const key = { resourceType: rt as ResourceType, type, publicId };
  const asset = assets.get(key.resourceType, type, publicId) ?? assets.placeholder(key);
  if (asset === undefined) throw notFound(publicId);
  return detailJson(asset, account, settings);
}

/** GET /resources/:asset_id */
export function showByAssetId(call: Call, { account, assets, settings }: ListParts): Reply {
  const assetId = call.path['asset_id'] ?? '';
  const asset = assets.byAssetId(assetId) ?? assets.placeholder(assetId);
  if (asset === undefined) throw notFound(assetId);
  return detailJson(asset, account, settings);
}

/** GET /resources/by_asset_ids?asset_ids[]=: those that exist, of any resource type. */
export function listByAssetIds(call: Call, parts: ListParts): Reply {
  const assetIds = fieldList(call.fields, 'asset_ids');
  if (assetIds.length > 100) throw new ApiError(400, 'Too many asset_ids (maximum is 100)');
  const found = assetIds.flatMap((assetId) => parts.assets.byAssetId(assetId) ?? []);
  return { resources: found.filter(shownAt(call.listingShare)).map(itemJson(call.fields, parts)) };
}
