import type { Asset } from '../assets/asset.js';

type Body = Record<string, unknown>;

/** Bodies in the shapes that were captured from the real host; notice that they differ from event to event. */
export function deletedBody(assets: Asset[]): Body {
  return {
    resources: assets.map((asset) => ({
      ...identity(asset),
      public_id: asset.publicId,
      version: asset.version,
    })),
  };
}

export function renamedBody(asset: Asset, from: string): Body {
  return {
    ...identity(asset),
    from_public_id: from,
    to_public_id: asset.publicId,
    asset_folder: asset.assetFolder,
    display_name: asset.displayName,
  };
}

/** `resources` is a list here. */
export function tagsChangedBody(changes: { previous: Asset; next: Asset }[]): Body {
  return {
    resources: changes.map(({ previous, next }) => ({
      ...identity(next),
      public_id: next.publicId,
      added: next.tags.filter((tag) => !previous.tags.includes(tag)),
      removed: previous.tags.filter((tag) => !next.tags.includes(tag)),
      updated: [],
    })),
  };
}

/** `resources` is an object keyed by public id here. */
export function contextChangedBody(changes: { previous: Asset; next: Asset }[]): Body {
  return {
    resources: Object.fromEntries(
      changes.map(({ previous, next }) => [
        next.publicId,
        { ...contextDifference(previous, next), ...identity(next) },
      ]),
    ),
  };
}

/** `resources` is an object keyed by public id, with both states. */
export function metadataChangedBody(changes: { previous: Asset; next: Asset }[]): Body {
  return {
    resources: Object.fromEntries(
      changes.map(({ previous, next }) => [
        next.publicId,
        { previous_metadata: previous.metadata, new_metadata: next.metadata, ...identity(next) },
      ]),
    ),
  };
}

function contextDifference(previous: Asset, next: Asset): Body {
  const before = previous.context;
  const after = next.context;
  return {
    added: pairs(
      Object.keys(after).filter((name) => !Object.hasOwn(before, name)),
      after,
    ),
    removed: pairs(
      Object.keys(before).filter((name) => !Object.hasOwn(after, name)),
      before,
    ),
    updated: pairs(
      Object.keys(after).filter((name) => Object.hasOwn(before, name) && before[name] !== after[name]),
      after,
    ),
  };
}

function pairs(names: string[], from: Readonly<Record<string, string>>): Body[] {
  return names.map((name) => ({ name, value: from[name] }));
}

function identity(asset: Asset): Body {
  return { resource_type: asset.resourceType, type: asset.type, asset_id: asset.assetId };
}
