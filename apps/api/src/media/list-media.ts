import type { Catalog } from '@holdfast/shared/catalog';
import type { Answer, Input } from '../http/endpoint.js';
import type { PublicAddress } from '../http/http-server.js';
import type { ListQuery } from './list-query.js';
import { presentMedia } from './present-media.js';
import type { Rebuilding } from './rebuilding.js';

export interface ListDependencies {
  catalog: Pick<Catalog, 'list' | 'hasOldIndexes'>;
  rebuilding: Rebuilding;
  address: PublicAddress;
}

/** One page of the catalog. */
export const listMedia =
  ({ catalog, rebuilding, address }: ListDependencies) =>
  async ({ query }: Input<never, ListQuery>): Promise<Answer> => {
    const [{ items, nextCursor, total }, ...reasons] = await Promise.all([
      catalog.list(query),
      rebuilding.isOn(),
      catalog.hasOldIndexes(),
    ]);
    return {
      status: 200,
      body: {
        items: items.map((record) => presentMedia(record, address)),
        nextCursor,
        total,
        ...(reasons.includes(true) ? { rebuilding: true } : {}),
      },
    };
  };
