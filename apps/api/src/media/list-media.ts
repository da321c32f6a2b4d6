import { z } from 'zod';
import type { Catalog } from '@holdfast/shared/catalog';
import { mediaLimits, mediaStatuses, resourceTypes } from '@holdfast/shared/media';
import { endpoint } from '../http/endpoint.js';
import type { PublicAddress } from '../http/public-address.js';
import { presentMedia } from './present-media.js';
import type { Rebuilding } from './rebuilding.js';

const MAX_LIMIT = 100;

const filterText = (max: number) =>
  z
    .string('must be given once')
    .min(1, 'must not be empty')
    .max(max * 2, 'is too long');

const query = z.strictObject({
  limit: z
    .string('must be given once')
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(
      z
        .number()
        .min(1, 'must be at least 1')
        .max(MAX_LIMIT, `must be at most ${String(MAX_LIMIT)}`),
    )
    .default(20),
  cursor: z.string('must be given once').max(500, 'is too long').optional(),
  type: z.enum(resourceTypes).optional(),
  category: filterText(mediaLimits.category).optional(),
  tag: filterText(mediaLimits.tag).optional(),
  status: z.enum(mediaStatuses).optional(),
  sha256: z
    .string('must be given once')
    .regex(/^[0-9a-f]{64}$/i, 'must be 64 hex digits')
    .transform((hex) => hex.toLowerCase())
    .optional(),
  order: z.enum(['newest', 'oldest']).default('newest'),
});

export interface ListDependencies {
  catalog: Pick<Catalog, 'list'>;
  rebuilding: Rebuilding;
  address: PublicAddress;
}

/** One page of the catalog. */
export const listMedia = ({ catalog, rebuilding, address }: ListDependencies) =>
  endpoint({
    query,
    handle: async ({ query: { cursor, type, category, tag, status, sha256, ...page } }) => {
      const [{ items, nextCursor, total }, refilling] = await Promise.all([
        catalog.list({
          ...page,
          ...(cursor === undefined ? {} : { cursor }),
          ...(type === undefined ? {} : { type }),
          ...(category === undefined ? {} : { category }),
          ...(tag === undefined ? {} : { tag }),
          ...(status === undefined ? {} : { status }),
          ...(sha256 === undefined ? {} : { sha256 }),
        }),
        rebuilding.isOn(),
      ]);
      return {
        status: 200,
        body: {
          items: items.map((record) => presentMedia(record, address)),
          nextCursor,
          total,
          ...(refilling ? { rebuilding: true } : {}),
        },
      };
    },
  });
