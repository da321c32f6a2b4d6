import { HoldfastError } from '@holdfast/foundation/errors';
import { type AssetPage, type MediaHost, statusOf } from '../media-host.js';
import { listedFields, readPage } from './replies.js';
import type { Connection } from './sdk.js';

/** Pages of assets, by metered calls. */
export function createListings({ sdk, admin, log }: Connection) {
  const refused = new Set<'list' | 'confirm'>();

  const read = async (cursor: string | null, reply: Promise<unknown>): Promise<AssetPage> => {
    try {
      const page = readPage(await reply, cursor);
      const { unreadable } = page;
      // One line a page, however many there are.
      if (unreadable.length > 0) {
        const assetIds = unreadable.slice(0, 5).map(({ assetId, publicId }) => assetId ?? publicId);
        log.warn('host.assets_unreadable', { assets: unreadable.length, assetIds });
      }
      return page;
    } catch (error) {
      if (cursor === null || statusOf(error) !== 400) throw error;
      // How a host refuses a cursor is not documented. The first page was taken, so this is about the cursor.
      throw new HoldfastError('HOST_CURSOR_SPENT', undefined, { cause: error });
    }
  };

  /**
   * Which fields may be asked for is not documented for every kind of listing, nor how a host refuses others: where the first page is
   * refused with them and answered without, the rest of that listing does without them. It then shows no hashes.
   */
  const readListed = async (
    kind: 'list' | 'confirm',
    cursor: string | null,
    call: (options: Readonly<Record<string, unknown>>) => Promise<unknown>,
  ): Promise<AssetPage> => {
    const plain = { tags: true, context: true };
    // Each listing tries them again: a host that refused for another reason must not go without its check of stored bytes.
    if (kind === 'list' && cursor === null) refused.clear();
    try {
      return await read(cursor, call(refused.has(kind) ? plain : { ...plain, fields: listedFields }));
    } catch (error) {
      if (statusOf(error) !== 400 || refused.has(kind)) throw error;
      const page = await read(cursor, call(plain));
      refused.add(kind);
      log.warn('host.fields_refused', { error });
      return page;
    }
  };

  return {
    list: ({ resourceType, cursor, limit, signal }) =>
      readListed('list', cursor, (wanted) =>
        admin(signal, (call) =>
          sdk.api.resources({
            ...call,
            ...wanted,
            resource_type: resourceType,
            type: 'upload',
            max_results: limit,
            direction: 'asc',
            next_cursor: cursor,
          }),
        ),
      ),
    changes: ({ since, cursor, limit, signal }) => {
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
        cursor,
        admin(signal, (call) => search.execute(call)),
      );
    },
    confirm: async (assetIds, signal) => {
      if (assetIds.length === 0) return { assets: [], unreadable: [], lacking: [] };
      return readListed('confirm', null, (wanted) =>
        admin(signal, (call) => sdk.api.resources_by_asset_ids([...assetIds], { ...call, ...wanted })),
      );
    },
  } satisfies Partial<MediaHost>;
}
