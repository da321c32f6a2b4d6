import { notFound } from '../api-error.js';
import type { ResourceType } from '../assets/asset.js';
import { detailJson } from '../assets/asset-json.js';
import { editAsset } from '../edits/edit-asset.js';
import { fieldText } from '../http/fields.js';
import type { Call, Reply } from '../http/route.js';
import type { Parts } from '../parts.js';
import { editFrom } from '../upload-api/explicit.js';

/** POST /resources/:rt/:type/:public_id: the same edit as explicit, but counted by the rate limit. */
export function updateResource(
  call: Call,
  parts: Pick<Parts, 'account' | 'assets' | 'settings' | 'webhooks' | 'now'>,
): Reply {
  const { rt, type = '', public_id: publicId = '' } = call.path;
  const asset = parts.assets.get(rt as ResourceType, type, publicId);
  if (asset === undefined) throw notFound(publicId);
  const edited = editAsset(asset, editFrom(call.fields), parts, fieldText(call.fields, 'notification_url'));
  return detailJson(edited, parts.account, parts.settings);
}
