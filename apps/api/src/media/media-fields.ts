import { z } from 'zod';
import { emptyFields, mediaLimits, type EditableFields } from '@holdfast/shared/media';
import { parseInput } from '../http/request-input.js';

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Text that Redis and every host keep unchanged: well-formed Unicode without NUL. */
const text = z
  .string('must be text')
  .refine((value) => !LONE_SURROGATE.test(value), 'must be well-formed Unicode')
  .refine((value) => !value.includes('\0'), 'must not contain NUL characters');

const trimmed = text.transform((value) => value.trim());

/** Characters as people count them: an emoji is one, and so is a line break, which browsers send as two. */
const atMost = (max: number, kind: z.ZodType<string>) =>
  kind
    .refine(
      (value) => value.length <= max || Array.from(value.replaceAll('\r\n', '\n')).length <= max,
      `must have at most ${String(max)} characters`,
    )
    .meta({ maxLength: max });

const tag = atMost(mediaLimits.tag, trimmed)
  .refine((value) => value !== '', 'must not be empty')
  .refine((value) => !value.includes(','), 'must not contain commas');

const TOO_MANY_TAGS = `must be at most ${String(mediaLimits.tags)}`;
/** Repeated ones included, which count once. */
const MOST_ENTRIES = 1_000;

/** The rules of each field, the same for uploads and edits. Titles, categories and tags are trimmed. */
export const mediaFieldRules = {
  title: atMost(mediaLimits.title, trimmed),
  description: atMost(mediaLimits.description, text),
  category: atMost(mediaLimits.category, trimmed),
  tags: z
    // Counted first: a body has room for 100,000 wrong entries, and to name each of them takes a quarter of a second.
    .array(z.unknown(), 'must be a list of strings')
    .max(MOST_ENTRIES, TOO_MANY_TAGS)
    .pipe(
      z
        .array(tag)
        .transform((tags) => [...new Set(tags)])
        .refine((tags) => tags.length <= mediaLimits.tags, TOO_MANY_TAGS),
    )
    .meta({ items: { type: 'string', maxLength: mediaLimits.tag }, maxItems: MOST_ENTRIES }),
} satisfies Record<keyof EditableFields, z.ZodType>;

/** One text with commas stands for several tags; empty pieces are ignored. */
const splitText = (value: unknown): unknown =>
  typeof value === 'string' ? value.split(',').filter((piece) => piece.trim() !== '') : value;

/** Tags as JSON has them: a list, or one text with commas. */
export const listOrText = z.preprocess(splitText, mediaFieldRules.tags);
/** Tags of a form: one comma-separated part, several parts, or both. */
const formTags = z.preprocess((value) => [value].flat().flatMap(splitText), mediaFieldRules.tags);
// Other parts are ignored: forms carry buttons and tokens.
const form = z.object({ ...mediaFieldRules, tags: formTags });

const TAGS = `Comma-separated; at most ${String(mediaLimits.tags)} tags of 1 to ${String(mediaLimits.tag)} characters. The part may be repeated.`;

/** The form of an upload, for the description of its route. */
export const uploadForm = z
  .object({ ...mediaFieldRules, tags: z.string().describe(TAGS) })
  .partial()
  .extend({ file: z.string().meta({ contentMediaType: 'application/octet-stream' }) });

/** The text parts of an upload as fields of a record. Throws INVALID_REQUEST with every problem. */
export function parseMediaFields(parts: Readonly<Record<string, unknown>>): EditableFields {
  return parseInput(form, { ...emptyFields, ...parts }, 'the text parts are not valid');
}
