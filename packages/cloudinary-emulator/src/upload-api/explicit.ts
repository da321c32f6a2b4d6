import { ApiError, notFound } from '../api-error.js';
import type { Asset, ResourceType } from '../assets/asset.js';
import { uploadJson } from '../assets/asset-json.js';
import { parseContext, parseMetadata, parseTags } from '../context-encoding.js';
import { editAsset, type AssetEdit } from '../edits/edit-asset.js';
import { fieldText, hasField, type Fields } from '../http/fields.js';
import type { Call, Reply } from '../http/route.js';
import type { Parts } from '../parts.js';

/** POST /:rt/explicit: reads an asset, and edits it where the call says so. */
export function explicit(
  call: Call,
  parts: Pick<Parts, 'account' | 'assets' | 'settings' | 'webhooks' | 'now'>,
): Reply {
  const publicId = fieldText(call.fields, 'public_id');
  const placeholder = parts.assets.placeholder({
    resourceType: call.path['rt'] as ResourceType,
    type: fieldText(call.fields, 'type') || 'upload',
    publicId,
  });
  if (placeholder !== undefined) return uploadJson(placeholder, parts.account, parts.settings);
  const asset = findAsset(call, parts, publicId);
  const asked = editFrom(call.fields);
  refuseFolders(call.fields, parts.settings);
  const edit = parts.settings.explicitEdits === 'merges' ? merged(asset, asked) : asked;
  const edited = editAsset(asset, edit, parts, fieldText(call.fields, 'notification_url'));
  return uploadJson(edited, parts.account, parts.settings);
}

/** Throws the 400 of an account with fixed folders that knows nothing of dynamic ones. */
export function refuseFolders(fields: Fields, { folderMode, fixedFolders }: Parts['settings']): void {
  if (folderMode === 'dynamic' || fixedFolders === 'ignore') return;
  if (hasField(fields, 'asset_folder') || hasField(fields, 'display_name'))
    throw new ApiError(400, 'Parameter is not supported in this folder mode');
}

function merged(asset: Asset, { tags, context, ...rest }: AssetEdit): AssetEdit {
  return {
    ...rest,
    ...(tags === undefined ? {} : { tags: [...new Set([...asset.tags, ...tags])] }),
    ...(context === undefined ? {} : { context: { ...asset.context, ...context } }),
  };
}

/** The asset that a form of the Upload API names by id, type and the path's resource type; else the API's 404. */
export function findAsset(call: Call, parts: Pick<Parts, 'assets'>, publicId: string): Asset {
  const type = fieldText(call.fields, 'type') || 'upload';
  const asset = parts.assets.get(call.path['rt'] as ResourceType, type, publicId);
  if (asset === undefined) throw notFound(publicId);
  return asset;
}

/** The edit that the parameters of explicit or update ask for. An empty text clears. */
export function editFrom(fields: Fields): AssetEdit {
  return {
    ...(hasField(fields, 'tags') ? { tags: parseTags(fieldText(fields, 'tags')) } : {}),
    ...(hasField(fields, 'context') ? { context: parseContext(fieldText(fields, 'context')) } : {}),
    ...(hasField(fields, 'metadata') ? { metadata: parseMetadata(fieldText(fields, 'metadata')) } : {}),
    ...(hasField(fields, 'display_name') ? { displayName: fieldText(fields, 'display_name') } : {}),
    ...(hasField(fields, 'asset_folder') ? { assetFolder: fieldText(fields, 'asset_folder') } : {}),
  };
}
