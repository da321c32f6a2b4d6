import { ApiError } from '../api-error.js';
import type { Asset, ResourceType } from '../assets/asset.js';
import { removeAssets } from '../edits/edit-asset.js';
import { fieldFlag, fieldList, fieldText, hasField } from '../http/fields.js';
import type { Call, Reply } from '../http/route.js';
import type { Parts } from '../parts.js';

type DeleteParts = Pick<Parts, 'assets' | 'blobs' | 'webhooks' | 'settings'>;

const MAX_NAMED = 100;
const MAX_FOUND = 1000;

/** DELETE /resources/:rt/:type by `public_ids[]`, by `prefix`, or `all`. */
export async function deleteResources(call: Call, parts: DeleteParts): Promise<Reply> {
  const { fields, path } = call;
  const { rt, type = '' } = path;
  const prefix = fieldText(fields, 'prefix');
  if (prefix !== '' || fieldFlag(fields, 'all', false)) {
    return deleteFound(
      (asset) => asset.resourceType === rt && asset.type === type && asset.publicId.startsWith(prefix),
      parts,
    );
  }
  if (!hasField(fields, 'public_ids')) throw new ApiError(400, 'Missing required parameter - public_ids');
  return deleteNamed(
    fieldList(fields, 'public_ids'),
    (id) => parts.assets.get(rt as ResourceType, type, id),
    parts,
  );
}

/** DELETE /resources by `asset_ids[]`, of any resource type. */
export async function deleteByAssetIds(call: Call, parts: DeleteParts): Promise<Reply> {
  return deleteNamed(fieldList(call.fields, 'asset_ids'), (id) => parts.assets.byAssetId(id), parts);
}

/** DELETE /resources/:rt/tags/:tag */
export async function deleteByTag(call: Call, parts: DeleteParts): Promise<Reply> {
  const { rt, tag = '' } = call.path;
  return deleteFound((asset) => asset.resourceType === rt && asset.tags.includes(tag), parts);
}

async function deleteNamed(
  ids: string[],
  find: (id: string) => Asset | undefined,
  parts: DeleteParts,
): Promise<Reply> {
  if (ids.length > MAX_NAMED) throw new ApiError(400, `Too many ids (maximum is ${MAX_NAMED})`);
  const found = new Map(ids.map((id) => [id, find(id)]));
  await removeAssets(
    [...found.values()].flatMap((asset) => asset ?? []),
    parts,
  );
  return {
    deleted: Object.fromEntries(
      [...found].map(([id, asset]) => [id, asset === undefined ? 'not_found' : 'deleted']),
    ),
    deleted_counts: Object.fromEntries(
      [...found].map(([id, asset]) => [id, { original: asset === undefined ? 0 : 1, derived: 0 }]),
    ),
    partial: false,
  };
}

/** At most a thousand a call; then `partial`, with a cursor that only says "go on". */
async function deleteFound(matches: (asset: Asset) => boolean, parts: DeleteParts): Promise<Reply> {
  const found: Asset[] = [];
  let more = false;
  for (const asset of parts.assets.all()) {
    if (!matches(asset)) continue;
    more = found.length === MAX_FOUND;
    if (more) break;
    found.push(asset);
  }
  await removeAssets(found, parts);
  return {
    deleted: Object.fromEntries(found.map((asset) => [asset.publicId, 'deleted'])),
    deleted_counts: Object.fromEntries(found.map((asset) => [asset.publicId, { original: 1, derived: 0 }])),
    partial: more,
    ...(more ? { next_cursor: 'more' } : {}),
  };
}
