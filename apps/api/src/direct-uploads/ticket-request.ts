import { z } from 'zod';
import { formatsFor, mayBeAnyKind } from '@holdfast/shared/direct-uploads';
import { HoldfastError } from '@holdfast/shared/errors';
import { isAllowedType, resourceTypeOf, resourceTypes, type ResourceType } from '@holdfast/shared/media';
import { mediaFieldRules } from '../media/media-fields.js';

/** A list, or one text with commas as in the form of an upload. */
const tags = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').filter((piece) => piece.trim() !== '') : value),
  mediaFieldRules.tags,
);

/**
 * What a client says of the file that it is going to send. All of it is optional, none of it is believed, and other fields
 * are not looked at.
 */
export const ticketRequest = z
  .object({
    filename: z
      .string('must be text')
      .max(1_000, 'must have at most 1000 characters')
      .optional()
      .describe('Name of the file.'),
    title: mediaFieldRules.title.optional(),
    description: mediaFieldRules.description.optional(),
    category: mediaFieldRules.category.optional(),
    tags: tags.optional().describe('A list, or one comma-separated text.'),
    bytes: z
      .int('must be a number of bytes')
      .min(1, 'must be at least 1')
      .optional()
      .describe('Size of the file, if known.'),
    type: z
      .union(
        [z.enum(['auto', ...resourceTypes]), z.string().regex(/^[a-z]+\/[a-z0-9.+-]+$/)],
        'must be image, video, raw or a media type such as image/png',
      )
      .default('auto')
      .describe('`auto`, image, video, raw, or a media type such as `image/png`.'),
  })
  .prefault({});

export type TicketRequest = z.infer<typeof ticketRequest>;

/** What the host is asked to take. */
export interface ExpectedKind {
  resourceType: ResourceType | 'auto';
  /** Empty where also files are welcome whose kind the host does not tell. */
  formats: readonly string[];
}

/** Throws UNSUPPORTED_TYPE when nothing of that type could ever be accepted. */
export function expectedKind(type: TicketRequest['type'], allowed: readonly string[]): ExpectedKind {
  const named = ['auto', ...resourceTypes].find((name) => name === type) as
    ExpectedKind['resourceType'] | undefined;
  if (named === undefined && !isAllowedType(type, allowed)) refuse(type, allowed);
  const resourceType = named ?? resourceTypeOf(type);
  if (resourceType === 'raw' || (resourceType === 'auto' && mayBeAnyKind(allowed))) {
    if (!mayBeAnyKind(allowed)) refuse(type, allowed);
    return { resourceType, formats: [] };
  }
  const formats = formatsFor(resourceType, named === undefined ? [type] : allowed);
  if (formats.length > 0) return { resourceType, formats };
  // A kind that is allowed, but has no format that the host could be told: it is judged when it is there.
  if (named === undefined) return { resourceType, formats: formatsFor(resourceType, allowed) };
  return refuse(type, allowed);
}

function refuse(type: string, allowed: readonly string[]): never {
  throw new HoldfastError(
    'UNSUPPORTED_TYPE',
    `uploads of the type ${type} are not accepted; accepted types are ${allowed.join(', ')}`,
  );
}
