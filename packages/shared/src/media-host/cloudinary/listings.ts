import { HoldfastError } from '@holdfast/foundation/errors';
import { statusOf } from '../failures.js';
import type { AssetPage, MediaHost } from '../media-host.js';
import { listedFields, readPage } from './replies.js';
import type { Connection } from './sdk.js';

/** Pages of assets, by metered calls. */
export function createListings({
  sdk,
  admin,
  log,
}: Connection): Pick<MediaHost, 'list' | 'changes' | 'confirm'> {
  const refused = new Set<'list' | 'confirm'>();

  const read = (reply: unknown, cursor: string | null): AssetPage => {
    const page = readPage(reply, cursor);
    const { unreadable } = page;
    // One line a page, however many there are.
    if (unreadable.length > 0) {
      const assetIds = unreadable.slice(0, 5).map(({ assetId, publicId }) => assetId ?? publicId);
      log.warn('host.assets_unreadable', { assets: unreadable.length, assetIds });
    }
    return page;
  };

  /**
   * Which fields may be asked for is not documented for every kind of listing, nor how a host refuses others: where the first page is
   * refused with them and answered without, the rest of that listing does without them. It then shows no hashes.
   */
  const listed = async (
    kind: 'list' | 'confirm',
    cursor: string | null,
    call: (options: Readonly<Record<string, unknown>>) => Promise<unknown>,
  ): Promise<AssetPage> => {
    const plain = { tags: true, context: true };
    // Each listing tries them again: a host that refused for another reason must not go without its check of stored bytes.
    if (kind === 'list' && cursor === null) refused.clear();
    try {
      return read(await call(refused.has(kind) ? plain : { ...plain, fields: listedFields }), cursor);
    } catch (error) {
      if (statusOf(error) !== 400 || cursor !== null || refused.has(kind)) throw error;
      const page = read(await call(plain), cursor);
      refused.add(kind);
      log.warn('host.fields_refused', { error });
      return page;
    }
  };

  return {
    list: ({ resourceType, cursor, limit, signal }) =>
      orSpent(
        cursor,
        listed('list', cursor, (wanted) =>
          admin(signal, (call) =>
            sdk.api.resources({
              ...call,
              ...wanted,
              resource_type: resourceType,
              type: 'upload',
              max_results: limit,
              direction: 'asc',
              ...(cursor === null ? {} : { next_cursor: cursor }),
            }),
          ),
        ),
      ),
    changes: async ({ since, cursor, limit, signal }) => {
      // The index knows whole seconds only. A host that does not know `last_updated` finds nothing by it.
      const time = new Date(Math.floor(since.getTime() / 1_000) * 1_000).toISOString();
      const search = sdk.search
        .expression(`type:upload AND (uploaded_at>="${time}" OR last_updated>="${time}")`)
        .sort_by('uploaded_at', 'asc')
        .sort_by('public_id', 'asc')
        .with_field('context')
        .with_field('tags')
        .max_results(limit);
      if (cursor !== null) search.next_cursor(cursor);
      return read(
        await orSpent(
          cursor,
          admin(signal, (call) => search.execute(call)),
        ),
        cursor,
      );
    },
    confirm: async (assetIds, signal) => {
      if (assetIds.length === 0) return { assets: [], unreadable: [], lacking: [] };
      return listed('confirm', null, (wanted) =>
        admin(signal, (call) => sdk.api.resources_by_asset_ids(assetIds, { ...call, ...wanted })),
      );
    },
  };
}

/** How a host refuses a cursor is not documented: a bad request with one says that it is spent, since the first page was taken. */
async function orSpent<T>(cursor: string | null, page: Promise<T>): Promise<T> {
  try {
    return await page;
  } catch (error) {
    if (cursor === null || statusOf(error) !== 400) throw error;
    throw new HoldfastError('HOST_CURSOR_SPENT', undefined, { cause: error });
  }
}
