import { changeAsset, type Asset, type ResourceType } from './asset.js';
import { assetViews, type ViewSpec } from './asset-views.js';
import type { SortedList } from './sorted-list.js';

/** Called after every change; `previous` null = created, `next` null = removed. */
export type AssetListener = (previous: Asset | null, next: Asset | null) => void;

/** All assets of the emulated account, by key, by asset id and in ordered views. */
export interface AssetStore {
  readonly size: number;
  /** Sum of the sizes of all assets. */
  readonly totalBytes: number;
  get(resourceType: ResourceType, type: string, publicId: string): Asset | undefined;
  byAssetId(assetId: string): Asset | undefined;
  all(): Iterable<Asset>;
  /** Stores a new asset or the next state of a known one (same asset id). */
  put(asset: Asset): void;
  /** With `backup` a placeholder stays, until something has its name again. */
  remove(asset: Asset, backup?: boolean): void;
  /** What is left of a deleted asset, by its name or by its asset id. */
  placeholder(key: Pick<Asset, 'resourceType' | 'type' | 'publicId'> | string): Asset | undefined;
  /** Many new assets at once, without telling listeners. */
  load(assets: Iterable<Asset>): void;
  view(spec: ViewSpec): SortedList<Asset>;
  nextSeq(): number;
  onChange(listener: AssetListener): void;
  /** Called after a bulk load. */
  onLoad(listener: () => void): void;
}

export function createAssetStore(): AssetStore {
  // By public id within resource type and delivery type: the three together are an asset's key.
  const byKey = new Map<string, Map<string, Asset>>();
  const byId = new Map<string, Asset>();
  const placeholders = new Map<string, Asset>();
  const views = assetViews(() => byId.values());
  const listeners: AssetListener[] = [];
  const loadListeners: (() => void)[] = [];
  let seq = 0;
  let totalBytes = 0;

  const index = (asset: Asset) => {
    const kind = kindOf(asset.resourceType, asset.type);
    const ids = byKey.get(kind);
    if (ids === undefined) byKey.set(kind, new Map([[asset.publicId, asset]]));
    else ids.set(asset.publicId, asset);
    byId.set(asset.assetId, asset);
    placeholders.delete(keyOf(asset));
    seq = Math.max(seq, asset.seq);
    totalBytes += asset.bytes;
  };
  const forget = (asset: Asset) => {
    byKey.get(kindOf(asset.resourceType, asset.type))?.delete(asset.publicId);
    byId.delete(asset.assetId);
    totalBytes -= asset.bytes;
  };
  const changed: AssetListener = (previous, next) => {
    views.changed(previous, next);
    for (const listener of listeners) listener(previous, next);
  };

  return {
    get size() {
      return byId.size;
    },
    get totalBytes() {
      return totalBytes;
    },
    get: (resourceType, type, publicId) => byKey.get(kindOf(resourceType, type))?.get(publicId),
    byAssetId: (assetId) => byId.get(assetId),
    all: () => byId.values(),
    put(asset) {
      const previous = byId.get(asset.assetId) ?? null;
      if (previous !== null) forget(previous);
      index(asset);
      changed(previous, asset);
    },
    placeholder: (key) =>
      typeof key === 'string'
        ? [...placeholders.values()].find(({ assetId }) => assetId === key)
        : placeholders.get(keyOf(key)),
    remove(asset, backup = false) {
      const previous = byId.get(asset.assetId);
      if (previous === undefined) return;
      forget(previous);
      if (backup)
        placeholders.set(keyOf(previous), changeAsset(previous, { bytes: 0, blob: null, placeholder: true }));
      changed(previous, null);
    },
    load(assets) {
      for (const asset of assets) index(asset);
      views.clear();
      for (const listener of loadListeners) listener();
    },
    view: (spec) => views.view(spec),
    nextSeq: () => ++seq,
    onChange: (listener) => void listeners.push(listener),
    onLoad: (listener) => void loadListeners.push(listener),
  };
}

function keyOf({ resourceType, type, publicId }: Pick<Asset, 'resourceType' | 'type' | 'publicId'>): string {
  return `${kindOf(resourceType, type)}/${publicId}`;
}

function kindOf(resourceType: string, type: string): string {
  return `${resourceType}/${type}`;
}
