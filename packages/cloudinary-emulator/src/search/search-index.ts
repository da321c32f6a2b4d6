import type { Asset } from '../assets/asset.js';
import type { AssetStore } from '../assets/asset-store.js';
import { assetViews, type ViewSpec } from '../assets/asset-views.js';
import type { SortedList } from '../assets/sorted-list.js';

/** The assets as search knows them: each change becomes visible only after the lag. */
export interface SearchIndex {
  view(spec: ViewSpec): SortedList<Asset>;
}

interface Change {
  dueMs: number;
  previous: Asset | null;
  next: Asset | null;
}

/** Follows a store at the distance of `searchLagMs`. Costs nothing until it is first searched. */
export function searchIndex(
  assets: Pick<AssetStore, 'all' | 'onChange' | 'onLoad'>,
  settings: { searchLagMs: number },
  now: () => number,
): SearchIndex {
  let waiting: Change[] = [];
  let known: Map<string, Asset> | null = null;
  const views = assetViews(() => known?.values() ?? []);

  const apply = ({ previous, next }: Change) => {
    if (known === null) return;
    // What search shows at the moment, which an earlier change may have left behind.
    const shown = previous === null ? null : (known.get(previous.assetId) ?? null);
    if (previous !== null && next === null) known.delete(previous.assetId);
    if (next !== null) known.set(next.assetId, next);
    views.changed(shown, next);
  };

  const applyDue = () => {
    const time = now();
    const pending = waiting.findIndex((change) => change.dueMs > time);
    const due = pending < 0 ? waiting : waiting.slice(0, pending);
    if (due.length === 0) return;
    waiting = pending < 0 ? [] : waiting.slice(pending);
    for (const change of due) apply(change);
  };

  const build = () => {
    known = new Map();
    for (const asset of assets.all()) known.set(asset.assetId, asset);
    for (const { previous, next } of waiting.toReversed()) {
      if (next !== null) known.delete(next.assetId);
      if (previous !== null) known.set(previous.assetId, previous);
    }
  };

  assets.onChange((previous, next) => {
    const change = { dueMs: now() + settings.searchLagMs, previous, next };
    if (settings.searchLagMs === 0 && waiting.length === 0) apply(change);
    else {
      waiting.push(change);
      if (waiting.length % 1000 === 0) applyDue();
    }
  });
  assets.onLoad(() => {
    known = null;
    views.clear();
  });

  return {
    view(spec) {
      applyDue();
      if (known === null) build();
      return views.view(spec);
    },
  };
}
