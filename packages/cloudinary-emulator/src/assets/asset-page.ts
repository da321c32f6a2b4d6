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
  const { order, after, isBefore, within, matches, limit } = query;
  const step = query.backwards === true ? -1 : 1;
  const first = isBefore === undefined ? 0 : view.firstIndex(isBefore);
  let index = step === 1 ? first : view.length - 1;
  if (after !== undefined) {
    index =
      step === 1
        ? Math.max(
            first,
            view.firstIndex((asset) => order.compareToKey(asset, after) <= 0),
          )
        : view.firstIndex((asset) => order.compareToKey(asset, after) < 0) - 1;
  }
  const items: Asset[] = [];
  for (; index >= first && index < view.length; index += step) {
    const asset = view.at(index) as Asset;
    if (within !== undefined && !within(asset)) break;
    if (matches !== undefined && !matches(asset)) continue;
    if (items.length === limit) return { items, more: true };
    items.push(asset);
  }
  return { items, more: false };
}
