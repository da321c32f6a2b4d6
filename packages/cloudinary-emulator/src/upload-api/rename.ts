import { ApiError } from '../api-error.js';
import type { ResourceType } from '../assets/asset.js';
import { uploadJson } from '../assets/asset-json.js';
import { removeAssets, renameAsset } from '../edits/edit-asset.js';
import { fieldFlag, fieldText } from '../http/fields.js';
import type { Call, Reply } from '../http/route.js';
import type { Parts } from '../parts.js';
import { findAsset } from './explicit.js';

/** POST /:rt/rename: another public id for the same asset. `context` and `metadata` only ask for them in the answer. */
export async function rename(
  call: Call,
  parts: Pick<Parts, 'account' | 'assets' | 'blobs' | 'settings' | 'webhooks' | 'now'>,
): Promise<Reply> {
  const { fields } = call;
  const asset = findAsset(call, parts, fieldText(fields, 'from_public_id'));
  const publicId = fieldText(fields, 'to_public_id');
  if (publicId === '') throw new ApiError(400, 'Missing required parameter - to_public_id');
  const type = fieldText(fields, 'to_type') || asset.type;
  const taken = parts.assets.get(call.path['rt'] as ResourceType, type, publicId);
  if (taken !== undefined && taken.assetId !== asset.assetId) {
    if (!fieldFlag(fields, 'overwrite', false)) {
      throw new ApiError(400, `to_public_id (${publicId}) already exists`);
    }
    await removeAssets([taken], parts);
  }
  const renamed = renameAsset(asset, { publicId, type }, parts, fieldText(fields, 'notification_url'));
  const json = uploadJson(renamed, parts.account, parts.settings);
  for (const name of ['context', 'metadata']) if (!fieldFlag(fields, name, false)) delete json[name];
  return json;
}
