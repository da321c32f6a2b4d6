import type { Asset } from './asset.js';

/** The value that an ordering goes by. */
export type SortValue = (asset: Asset) => string | number;

/** A total order of assets: by the given values, ties by creation. */
export interface AssetOrder {
  compare: (a: Asset, b: Asset) => number;
  keyOf: (asset: Asset) => (string | number)[];
  /** Negative when the asset stands before the key. */
  compareToKey: (asset: Asset, key: readonly (string | number)[]) => number;
}

/** The order by these values, each ascending or descending. */
export function assetOrder(by: { value: SortValue; descending?: boolean }[]): AssetOrder {
  const parts = [...by, { value: (asset: Asset) => asset.seq, descending: by[0]?.descending ?? false }];
  return {
    compare(a, b) {
      for (const { value, descending } of parts) {
        const left = value(a);
        const right = value(b);
        if (left !== right) return left < right === (descending === true) ? 1 : -1;
      }
      return 0;
    },
    keyOf: (asset) => parts.map(({ value }) => value(asset)),
    compareToKey(asset, key) {
      for (const [index, { value, descending }] of parts.entries()) {
        const left = value(asset);
        const right = key[index] ?? 0;
        if (left !== right) return left < right === (descending === true) ? 1 : -1;
      }
      return 0;
    },
  };
}
