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
  // Strictly in order: the `previous` of a change is what the change before it made visible.
  const waiting: Change[] = [];
  const views = assetViews(() =>
    waiting.length === 0 ? assets.all() : withoutChanges(assets.all(), waiting),
  );

  const applyDue = () => {
    const time = now();
    const firstLater = waiting.findIndex((change) => change.dueMs > time);
    const due = waiting.splice(0, firstLater < 0 ? waiting.length : firstLater);
    for (const { previous, next } of due) views.changed(previous, next);
  };

  assets.onChange((previous, next) => {
    if (settings.searchLagMs === 0 && waiting.length === 0) views.changed(previous, next);
    else {
      waiting.push({ dueMs: now() + settings.searchLagMs, previous, next });
      // Without searches nothing else would ever empty the queue.
      if (waiting.length % 1000 === 0) applyDue();
    }
  });
  assets.onLoad(() => views.clear());

  return {
    view(spec) {
      applyDue();
      return views.view(spec);
    },
  };
}

/** The assets as they were before the changes. */
function withoutChanges(assets: Iterable<Asset>, changes: readonly Change[]): Iterable<Asset> {
  const before = new Map<string, Asset>();
  for (const asset of assets) before.set(asset.assetId, asset);
  for (const { previous, next } of changes.toReversed()) {
    if (next !== null) before.delete(next.assetId);
    if (previous !== null) before.set(previous.assetId, previous);
  }
  return before.values();
}
