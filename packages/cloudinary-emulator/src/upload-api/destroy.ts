import type { ResourceType } from '../assets/asset.js';
import { removeAssets } from '../edits/edit-asset.js';
import { fieldText } from '../http/fields.js';
import type { Call, Reply } from '../http/route.js';
import type { Parts } from '../parts.js';

/** POST /:rt/destroy: removes one asset; an unknown one is `not found`, still with status 200. */
export async function destroy(
  call: Call,
  parts: Pick<Parts, 'assets' | 'blobs' | 'webhooks' | 'settings'>,
): Promise<Reply> {
  const type = fieldText(call.fields, 'type') || 'upload';
  const asset = parts.assets.get(call.path['rt'] as ResourceType, type, fieldText(call.fields, 'public_id'));
  if (asset === undefined) return { result: 'not found' };
  await removeAssets([asset], parts, fieldText(call.fields, 'notification_url'));
  return { result: 'ok' };
}
