import { createHash } from 'node:crypto';
import type { MediaRecord } from './media-record.js';

/** What people may edit, here and on the host, in the order of the fingerprints in `editBase`, which assets carry. */
export const editableFields = ['title', 'description', 'category', 'tags'] as const;
export type EditableFields = Pick<MediaRecord, (typeof editableFields)[number]>;

/** The editable fields alone, in the order of `editableFields`. */
export function pickEditable({ title, description, category, tags }: EditableFields): EditableFields {
  return { title, description, category, tags };
}

/** A short fingerprint of each field as we wrote it travels beside the fields, so that an edit on the host can be distinguished from ours. */
export const BASE_KEY = 'hf_base';
const FINGERPRINT_LENGTH = 6;

/** The fingerprints of the editable fields, in one plain value. */
export function editBase(fields: EditableFields): string {
  return editableFields.map((name) => fingerprintOf(fields[name])).join('');
}

/** The fingerprint of one field in such a value; undefined where the value is something else. */
export function baseOf(base: string | undefined, name: keyof EditableFields): string | undefined {
  if (base?.length !== FINGERPRINT_LENGTH * editableFields.length) return undefined;
  const start = editableFields.indexOf(name) * FINGERPRINT_LENGTH;
  return base.slice(start, start + FINGERPRINT_LENGTH);
}

/** What the host had when its edits were last merged, as fingerprints, and the revision of ours that has them. */
export interface MergeBase {
  revision: number;
  base: string;
  /** The revision that the host carried then; 0 where it had no mark of ours. */
  over: number;
}

/** One side of a media item: the record, or what the asset carries. */
export type Side = EditableFields & Pick<MediaRecord, 'id' | 'revision' | 'updatedAt'>;

/**
 * The host has another revision under the number of ours: Redis had lost that one, and an edit was made here over the one
 * before it.
 */
export function isNumberedTwice(host: Omit<Side, keyof EditableFields>, ours: typeof host): boolean {
  return host.id === ours.id && host.revision === ours.revision && host.updatedAt !== ours.updatedAt;
}

/**
 * The fields that were edited on the host and not here since both sides were last equal: the record takes them. Where both sides
 * edited one field, the edit here stands. What they are compared with:
 *
 * | the asset has                     | both sides are compared with                                                |
 * | --------------------------------- | --------------------------------------------------------------------------- |
 * | our mark                          | its `hf_base`, or the merge base that was noted over the same revision      |
 * | the same number, and another edit | the merge base of that revision; else `hf_base`                             |
 * | no mark                           | the merge base                                                              |
 *
 * Where none of these is known, nothing is merged. An older write of ours may have landed after a merge: the asset then has what
 * we wrote, which is no edit.
 */
export function editsOnHostOnly(
  { context }: { context: Readonly<Record<string, string>> },
  host: Side,
  ours: Side,
  mergeBase: MergeBase | null,
): Partial<EditableFields> {
  const base = mergeBase !== null && tellsBase(mergeBase, host, ours) ? mergeBase.base : context[BASE_KEY];
  const edited = editableFields.filter((name) => {
    const written = baseOf(base, name);
    return fingerprintOf(ours[name]) === written && fingerprintOf(host[name]) !== written;
  });
  return Object.fromEntries(edited.map((name) => [name, host[name]])) as Partial<EditableFields>;
}

function tellsBase(mergeBase: MergeBase, host: Side, ours: Side): boolean {
  if (isNumberedTwice(host, ours)) return mergeBase.revision === ours.revision;
  // Without a mark nothing that we wrote late can be there, and nothing else tells what the host had.
  if (host.revision === 0) return true;
  return mergeBase.over === host.revision && mergeBase.revision > host.revision;
}

/** Six characters of a hash of a text or of a set of tags. */
export function fingerprintOf(value: string | readonly string[]): string {
  // The host may keep tags in an order of its own.
  const text = typeof value === 'string' ? value : JSON.stringify(value.toSorted());
  return createHash('sha256').update(text).digest('base64url').slice(0, FINGERPRINT_LENGTH);
}
