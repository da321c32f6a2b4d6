import { z } from 'zod';
import { mediaLimits, mediaStatuses, resourceTypes } from '@holdfast/shared/media';
import { pageLimit } from '../http/page-limit.js';

const MAX_LIMIT = 100;

const filterText = (max: number) =>
  z
    .string('must be given once')
    .min(1, 'must not be empty')
    .max(max * 2, 'is too long');

const word = <Word extends string>(words: readonly [Word, ...Word[]]) =>
  z.enum(words, `must be one of ${words.join(', ')}`);

/** What a client may ask of the list of media. */
export const listQuery = z.strictObject({
  limit: pageLimit(MAX_LIMIT).default(20),
  cursor: z.string('must be given once').max(500, 'is too long').exactOptional(),
  type: word(resourceTypes).exactOptional(),
  category: filterText(mediaLimits.category).exactOptional(),
  tag: filterText(mediaLimits.tag).exactOptional(),
  status: word(mediaStatuses).exactOptional(),
  sha256: z
    .string('must be given once')
    .regex(/^[0-9a-f]{64}$/i, 'must be 64 hex digits')
    .transform((hex) => hex.toLowerCase())
    .exactOptional(),
  order: word(['newest', 'oldest']).default('newest'),
});
