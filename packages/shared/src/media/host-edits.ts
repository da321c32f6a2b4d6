import { createHash } from 'node:crypto';
import type { MediaRecord } from './media-record.js';

/** What people may edit, here and on the host. */
export type EditableFields = Pick<MediaRecord, 'title' | 'description' | 'category' | 'tags'>;

/** Their order is that of the prints in `editBase`. */
const editableFields = ['title', 'description', 'category', 'tags'] as const;

/** Beside the fields travels a short print of each as we wrote it, so that an edit on the host can be told from ours. */
export const BASE_KEY = 'hf_base';
const PRINT_LENGTH = 6;

/** The prints of the editable fields, in one plain value. */
export function editBase(fields: EditableFields): string {
  return editableFields.map((name) => printOf(fields[name])).join('');
}

/** The print of one field in such a value; undefined where it is not one. */
export function baseOf(base: string | undefined, name: keyof EditableFields): string | undefined {
  if (base?.length !== PRINT_LENGTH * editableFields.length) return undefined;
  const start = editableFields.indexOf(name) * PRINT_LENGTH;
  return base.slice(start, start + PRINT_LENGTH);
}

/** What the host had when its edits were last taken in, as prints, and the revision of ours that has them. */
export interface MergeBase {
  revision: number;
  base: string;
  /** The revision that the host carried then; 0 where it had no mark of ours. */
  over: number;
}

/** One side of a media: the record, or what the asset carries. */
export type Side = EditableFields & Pick<MediaRecord, 'id' | 'revision' | 'updatedAt'>;

/**
 * The host has another revision under the number of ours: Redis had lost that one, and an edit was made here over the one
 * before it.
 */
export function isNumberedTwice(host: Omit<Side, keyof EditableFields>, ours: typeof host): boolean {
  return host.id === ours.id && host.revision === ours.revision && host.updatedAt !== ours.updatedAt;
}

/**
 * The fields that were edited on the host and not here since both sides last met: they come in. Where both sides edited
 * one field, the edit here stands. They met when we wrote the asset, at the revision that it carries, or later when its
 * edits were taken in; where it has no mark, or one that is numbered twice, when the edit here was made over what the catalog
 * had. A write of ours may have landed after that, from before it: then the asset has what we wrote, which is no edit. Empty
 * where neither tells.
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
    return printOf(ours[name]) === written && printOf(host[name]) !== written;
  });
  return Object.fromEntries(edited.map((name) => [name, host[name]])) as Partial<EditableFields>;
}

function tellsBase(mergeBase: MergeBase, host: Side, ours: Side): boolean {
  if (isNumberedTwice(host, ours)) return mergeBase.revision === ours.revision;
  // Without a mark nothing that we wrote late can be there, and nothing else tells what the host had.
  if (host.revision === 0) return true;
  return mergeBase.over === host.revision && mergeBase.revision > host.revision;
}

/** Six characters that stand for a text or for a set of tags. */
export function printOf(value: string | readonly string[]): string {
  // The host may keep tags in an order of its own.
  const text = typeof value === 'string' ? value : JSON.stringify(value.toSorted());
  return createHash('sha256').update(text).digest('base64url').slice(0, PRINT_LENGTH);
}
