import { changeAsset, type Asset } from '../assets/asset.js';
import type { Parts } from '../parts.js';
import { nowSeconds } from '../parts.js';
import {
  contextChangedBody,
  deletedBody,
  metadataChangedBody,
  renamedBody,
  tagsChangedBody,
} from '../webhooks/notifications.js';

type EditParts = Pick<Parts, 'assets' | 'webhooks' | 'now'>;

/** What an edit sets; a given part replaces the whole of that part. */
export type AssetEdit = Partial<Pick<Asset, 'tags' | 'context' | 'metadata' | 'displayName' | 'assetFolder'>>;

/** Edits one asset and notifies about what differs. An edit sets its stamps even where nothing differs. */
export function editAsset(asset: Asset, edit: AssetEdit, parts: EditParts, notificationUrl = ''): Asset {
  return editAssets([{ asset, edit }], parts, notificationUrl)[0] as Asset;
}

/** The same for several, with one notification per sort of change. */
export function editAssets(
  edits: { asset: Asset; edit: AssetEdit }[],
  parts: EditParts,
  notificationUrl = '',
): Asset[] {
  const now = nowSeconds(parts);
  const changes = edits.map(({ asset, edit }) => {
    const next = changeAsset(asset, {
      ...edit,
      ...(edit.tags === undefined ? {} : { tagsUpdatedAt: now }),
      ...(edit.context === undefined ? {} : { contextUpdatedAt: now }),
      ...(edit.metadata === undefined ? {} : { metadataUpdatedAt: now }),
      updatedAt: Object.keys(edit).length === 0 ? asset.updatedAt : now,
    });
    if (Object.keys(edit).length > 0) parts.assets.put(next);
    return { previous: asset, next };
  });
  const differing = (part: 'tags' | 'context' | 'metadata') =>
    changes.filter(({ previous, next }) => JSON.stringify(previous[part]) !== JSON.stringify(next[part]));
  const tags = differing('tags');
  if (tags.length > 0) parts.webhooks.emit('resource_tags_changed', tagsChangedBody(tags), notificationUrl);
  const context = differing('context');
  if (context.length > 0) {
    parts.webhooks.emit('resource_context_changed', contextChangedBody(context), notificationUrl);
  }
  const metadata = differing('metadata');
  if (metadata.length > 0) {
    parts.webhooks.emit('resource_metadata_changed', metadataChangedBody(metadata), notificationUrl);
  }
  return changes.map(({ next }) => next);
}

/** Removes assets with their bytes and notifies once for all of them. */
export async function removeAssets(
  assets: Asset[],
  parts: Pick<Parts, 'assets' | 'webhooks' | 'blobs' | 'settings'>,
  notificationUrl = '',
): Promise<void> {
  if (assets.length === 0) return;
  for (const asset of assets) parts.assets.remove(asset, parts.settings.keepsBackups);
  await Promise.all(assets.map(async ({ blob }) => (blob === null ? undefined : parts.blobs.remove(blob))));
  parts.webhooks.emit('delete', deletedBody(assets), notificationUrl);
}

/** Gives an asset another public id, and maybe delivery type; asset id, version and bytes stay. */
export function renameAsset(
  asset: Asset,
  to: { publicId: string; type: string },
  parts: EditParts,
  notificationUrl = '',
): Asset {
  const now = nowSeconds(parts);
  const next = changeAsset(asset, {
    publicId: to.publicId,
    type: to.type,
    publicIdUpdatedAt: now,
    updatedAt: now,
    displayName: to.publicId.slice(to.publicId.lastIndexOf('/') + 1),
  });
  parts.assets.put(next);
  parts.webhooks.emit('rename', renamedBody(next, asset.publicId), notificationUrl);
  return next;
}
