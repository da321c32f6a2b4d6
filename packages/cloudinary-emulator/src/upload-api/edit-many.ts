import { ApiError } from '../api-error.js';
import type { Asset, ResourceType } from '../assets/asset.js';
import { parseContext, parseMetadata, parseTags } from '../context-encoding.js';
import { editAssets, type AssetEdit } from '../edits/edit-asset.js';
import { fieldList, fieldText } from '../http/fields.js';
import type { Call, Reply } from '../http/route.js';
import type { Parts } from '../parts.js';

type EditParts = Pick<Parts, 'assets' | 'webhooks' | 'now'>;

const tagCommands: Record<string, (asset: Asset, tags: string[]) => string[]> = {
  add: (asset, tags) => [...new Set([...asset.tags, ...tags])],
  remove: (asset, tags) => asset.tags.filter((tag) => !tags.includes(tag)),
  replace: (_asset, tags) => tags,
  remove_all: () => [],
  set_exclusive: (asset, tags) => [...new Set([...asset.tags, ...tags])],
};

const contextCommands: Record<
  string,
  (asset: Asset, context: Record<string, string>) => Record<string, string>
> = {
  add: (asset, context) => ({ ...asset.context, ...context }),
  remove_all: () => ({}),
};

/** POST /:rt/tags: one command for up to a thousand assets. */
export function editTags(call: Call, parts: EditParts): Reply {
  const command = pick(tagCommands, call);
  const tags = parseTags(fieldText(call.fields, 'tag'));
  if (fieldText(call.fields, 'command') === 'set_exclusive') takeFromOthers(call, tags, parts);
  return applyToAll(call, parts, (asset) => ({ tags: command(asset, tags) }));
}

/** POST /:rt/context: adds pairs to, or removes all from, the assets named. */
export function editContext(call: Call, parts: EditParts): Reply {
  const command = pick(contextCommands, call);
  const context = parseContext(fieldText(call.fields, 'context'));
  return applyToAll(call, parts, (asset) => ({ context: command(asset, context) }));
}

/** POST /:rt/metadata: sets structured metadata; fields that were not sent stay. */
export function editMetadata(call: Call, parts: EditParts): Reply {
  const metadata = parseMetadata(fieldText(call.fields, 'metadata'));
  return applyToAll(call, parts, (asset) => ({ metadata: { ...asset.metadata, ...metadata } }));
}

function applyToAll(call: Call, parts: EditParts, edit: (asset: Asset) => AssetEdit): Reply {
  const assets = named(call, parts);
  const edits = assets.map((asset) => ({ asset, edit: edit(asset) }));
  editAssets(edits, parts, fieldText(call.fields, 'notification_url'));
  return { public_ids: assets.map((asset) => asset.publicId) };
}

function named(call: Call, parts: EditParts): Asset[] {
  const type = fieldText(call.fields, 'type') || 'upload';
  return fieldList(call.fields, 'public_ids').flatMap(
    (publicId) => parts.assets.get(call.path['rt'] as ResourceType, type, publicId) ?? [],
  );
}

function takeFromOthers(call: Call, tags: string[], parts: EditParts): void {
  const keep = new Set(named(call, parts).map((asset) => asset.assetId));
  const others = [...parts.assets.all()].filter(
    (asset) =>
      asset.resourceType === call.path['rt'] &&
      !keep.has(asset.assetId) &&
      asset.tags.some((tag) => tags.includes(tag)),
  );
  editAssets(
    others.map((asset) => ({ asset, edit: { tags: asset.tags.filter((tag) => !tags.includes(tag)) } })),
    parts,
  );
}

function pick<T>(commands: Record<string, T>, call: Call): T {
  const name = fieldText(call.fields, 'command') || 'add';
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new ApiError(400, `Invalid command - ${name}`);
  return command;
}
