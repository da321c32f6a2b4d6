import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { MediaRecord } from '@holdfast/shared/media';
import { mediaFieldRules, type MediaFields } from './media-fields.js';

/** A merge (RFC 7396) of the fields that clients may change: null clears, anything else here is refused. */
export const mediaChanges = z
  .strictObject(
    {
      title: mediaFieldRules.title.nullable().optional(),
      description: mediaFieldRules.description.nullable().optional(),
      category: mediaFieldRules.category.nullable().optional(),
      tags: mediaFieldRules.tags.nullable().optional(),
    },
    { error: (issue) => (issue.code === 'invalid_type' ? 'must be a JSON object' : undefined) },
  )
  .refine((changes) => Object.keys(changes).length > 0, {
    error: 'must name at least one of title, description, category, tags',
    // One problem at a time: an unknown field is not also a missing one.
    when: ({ issues }) => issues.length === 0,
  });

export type MediaChanges = z.infer<typeof mediaChanges>;

/** The record with the changes, one revision later; null when nothing is different. */
export function changeFields(record: MediaRecord, changes: MediaChanges, at: Date): MediaRecord | null {
  const before: MediaFields = {
    title: record.title,
    description: record.description,
    category: record.category,
    tags: record.tags,
  };
  const after: MediaFields = {
    title: changes.title === undefined ? before.title : (changes.title ?? ''),
    description: changes.description === undefined ? before.description : (changes.description ?? ''),
    category: changes.category === undefined ? before.category : (changes.category ?? ''),
    tags: changes.tags === undefined ? before.tags : (changes.tags ?? []),
  };
  if (isDeepStrictEqual(before, after)) return null;
  // Clocks of two replicas may differ; a record never gets older by an edit.
  const updatedAt = new Date(Math.max(at.getTime(), Date.parse(record.updatedAt)));
  return { ...record, ...after, updatedAt: updatedAt.toISOString(), revision: record.revision + 1 };
}
