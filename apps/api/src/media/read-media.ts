import { z } from 'zod';
import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import {
  isMediaId,
  mediaLimits,
  mediaStatuses,
  resourceTypes,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { Dependencies } from '../dependencies.js';
import type { Answer, Input } from '../http/route.js';
import { pageLimit } from '../http/request-input.js';
import { entityTag, presentMedia } from './present-media.js';

const once = z.string('must be given once');
const filterText = (max: number) => once.min(1, 'must not be empty').max(max * 2, 'is too long');

const word = <Word extends string>(words: readonly [Word, ...Word[]]) =>
  z.enum(words, `must be one of ${words.join(', ')}`);

/** What a client may ask of the list. */
export const listQuery = z.strictObject({
  limit: pageLimit(20, 100),
  cursor: once.max(500, 'is too long').exactOptional().describe('`nextCursor` of the previous page.'),
  type: word(resourceTypes).exactOptional().describe('Kind of file; audio counts as video.'),
  category: filterText(mediaLimits.category).exactOptional().describe('Has exactly this category.'),
  tag: filterText(mediaLimits.tag).exactOptional().describe('Has this tag.'),
  status: word(mediaStatuses).exactOptional().describe('Has this status.'),
  sha256: once
    .regex(/^[0-9a-f]{64}$/i, 'must be 64 hex digits')
    .transform((hex) => hex.toLowerCase())
    .exactOptional()
    .describe('Has these bytes: SHA-256 in hex. If many copies match, they are sorted by id.'),
  order: word(['newest', 'oldest']).default('newest').describe('By time of creation.'),
});

/** One page of the catalog. */
export const listMedia =
  ({ catalog, rebuilding, address }: Dependencies) =>
  async ({ query }: Input<never, z.infer<typeof listQuery>>): Promise<Answer> => {
    const [{ items, ...page }, ...reasons] = await Promise.all([
      catalog.list(query),
      rebuilding.isOn(),
      catalog.hasOldIndexes(),
    ]);
    return {
      status: 200,
      body: {
        items: items.map((record) => presentMedia(record, address)),
        ...page,
        ...(reasons.includes(true) ? { rebuilding: true } : {}),
      },
    };
  };

/** One record. The edge answers 304 where the client has it already. */
export const showMedia =
  (deps: Dependencies) =>
  async ({ params }: Input<'id'>): Promise<Answer> => {
    const media = presentMedia(await findMedia(deps, params.id), deps.address);
    const headers = { ETag: entityTag(media), 'Cache-Control': 'private, no-cache' };
    return { status: 200, body: media, headers };
  };

/**
 * The record. Throws MEDIA_NOT_FOUND, CATALOG_REBUILDING while the record may still come back, or CATALOG_UNAVAILABLE, also
 * if another API may hold the upload as deferred.
 */
export async function findMedia(
  deps: Pick<Dependencies, 'catalog' | 'deferred' | 'intents' | 'rebuilding'>,
  id: string,
): Promise<MediaRecord> {
  const { catalog, deferred, intents, rebuilding } = deps;
  if (!isMediaId(id)) throw new HoldfastError('MEDIA_NOT_FOUND');
  const held = deferred.find(id);
  // Another API or a sweep may have added it to the catalog, and edits may have followed.
  if (held !== null) return (await catalog.find(id).catch(() => null)) ?? held;
  const record = await catalog.find(id);
  if (record !== null) return record;
  let code: ErrorCode | null = null;
  if (await rebuilding.isOn()) code = 'CATALOG_REBUILDING';
  else {
    // It may come, also where nobody can tell. One that was refused does not.
    const states = await intents.findStates([id]).catch(() => new Map([[id, 'live']]));
    if ((states.get(id) ?? 'refused') !== 'refused') code = 'CATALOG_UNAVAILABLE';
  }
  // What was deleted here never comes back.
  if (code !== null && !(await catalog.isTombstoned(id)))
    throw new HoldfastError(code, 'the record may not be in the catalog yet');
  throw new HoldfastError('MEDIA_NOT_FOUND');
}
