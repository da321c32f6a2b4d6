import type { Asset } from './asset.js';
import { sortedList, type SortedList } from './sorted-list.js';

/** Which assets a view holds, and in which total order. */
export interface ViewSpec {
  /** Names the view: equal names must mean equal specs. */
  name: string;
  includes: (asset: Asset) => boolean;
  compare: (a: Asset, b: Asset) => number;
}

/** Ordered views of a changing set of assets, each built when it is first asked for and then kept up to date. */
export interface AssetViews {
  view(spec: ViewSpec): SortedList<Asset>;
  changed(previous: Asset | null, next: Asset | null): void;
  /** Forgets the views; they are rebuilt on demand (after a bulk load). */
  clear(): void;
}

const MAX_VIEWS = 24;

/** `all` gives the current set; it is only walked when a view is built. */
export function assetViews(all: () => Iterable<Asset>): AssetViews {
  const views = new Map<string, { spec: ViewSpec; list: SortedList<Asset> }>();
  return {
    view(spec) {
      const known = views.get(spec.name);
      if (known !== undefined) {
        views.delete(spec.name);
        views.set(spec.name, known);
        return known.list;
      }
      const members: Asset[] = [];
      for (const asset of all()) if (spec.includes(asset)) members.push(asset);
      const list = sortedList(members, spec.compare);
      views.set(spec.name, { spec, list });
      // Tags come from clients: without a bound every tag asked for would stay for ever.
      if (views.size > MAX_VIEWS) views.delete(views.keys().next().value as string);
      return list;
    },
    changed(previous, next) {
      for (const { spec, list } of views.values()) {
        if (previous !== null && spec.includes(previous)) list.remove(previous);
        if (next !== null && spec.includes(next)) list.insert(next);
      }
    },
    clear: () => views.clear(),
  };
}
