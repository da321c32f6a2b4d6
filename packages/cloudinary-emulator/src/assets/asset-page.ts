import type { Asset } from './asset.js';
import type { AssetOrder } from './asset-order.js';
import type { SortedList } from './sorted-list.js';

/** What a page takes out of an ordered view. */
export interface PageQuery {
  order: AssetOrder;
  /** Walks the view from its end. */
  backwards?: boolean;
  /** Sort key of the last item of the page before. */
  after?: readonly (string | number)[] | undefined;
  /** True for items before the first wanted one, along the view. */
  isBefore?: ((asset: Asset) => boolean) | undefined;
  /** False ends the walk. */
  within?: ((asset: Asset) => boolean) | undefined;
  matches?: ((asset: Asset) => boolean) | undefined;
  limit: number;
}

/** One page of a view; `more` tells whether another one follows. Costs what it shows, not what the view holds. */
export function assetPage(view: SortedList<Asset>, query: PageQuery): { items: Asset[]; more: boolean } {
  const { matches, limit } = query;
  const items: Asset[] = [];
  for (const asset of walk(view, query)) {
    if (matches !== undefined && !matches(asset)) continue;
    if (items.length === limit) return { items, more: true };
    items.push(asset);
  }
  return { items, more: false };
}

function* walk(view: SortedList<Asset>, query: PageQuery): Iterable<Asset> {
  const { order, after, isBefore = () => false, within = () => true } = query;
  const backwards = query.backwards === true;
  const assets = backwards
    ? view.downFrom((asset) => after === undefined || order.compareToKey(asset, after) < 0)
    : view.from((asset) => isBefore(asset) || (after !== undefined && order.compareToKey(asset, after) <= 0));
  for (const asset of assets) {
    if (!within(asset) || (backwards && isBefore(asset))) return;
    yield asset;
  }
}
