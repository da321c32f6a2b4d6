import { createHash } from 'node:crypto';
import type { HostMetadata } from './host-metadata.js';
import { isOwnId } from './media-id.js';
import type { MediaRecord } from './media-record.js';
import { isPlain, MAX_VALUE } from './text-encoding.js';

/**
 * How edits on the host are told from what we wrote there. Beside its fields an asset carries short fingerprints of them as we last
 * wrote them: what differs from its fingerprint was edited.
 *
 * | key        | fingerprints of                                     | decides                                                         |
 * | ---------- | --------------------------------------------------- | --------------------------------------------------------------- |
 * | `hf_base`  | the editable fields, in the order of `emptyFields`  | which of them were edited on the host (`editsOnHostOnly`)       |
 * | `hf-shown` | `caption`, `alt`, then the display name, if written | whether `caption` or our own `title` holds the title, likewise  |
 * |            | by us                                               | `alt` and `description`; whether the asset was renamed          |
 *
 * Version 0.1.0 left `caption` and `alt` alone and wrote no `hf-shown`. It takes that key, by its hyphen, for a foreign one, and
 * keeps it when it writes an edit: what the console still shows then is no edit.
 */
export const BASE_KEY = 'hf_base';
export const SHOWN_KEY = 'hf-shown';
const PRINT_LENGTH = 6;

/** The start of a hash of a text or of a set of tags. */
function printOf(value: string | readonly string[]): string {
  // The host may keep tags in an order of its own.
  const text = typeof value === 'string' ? value : JSON.stringify(value.toSorted());
  return createHash('sha256').update(text).digest('base64url').slice(0, PRINT_LENGTH);
}

/** The fingerprint at this place of a key's value; undefined where it has none there. */
function printAt(place: number, prints: string | undefined): string | undefined {
  const print = prints?.slice(place * PRINT_LENGTH, (place + 1) * PRINT_LENGTH);
  return print?.length === PRINT_LENGTH ? print : undefined;
}

/** What people may edit, here and on the host, each field empty. The order is that of `hf_base`: a new one comes last. */
export const emptyFields = { title: '', description: '', category: '', tags: [] as string[] };
export type EditableFields = typeof emptyFields;
export const editableFields = Object.keys(emptyFields) as (keyof EditableFields)[];

/** The editable fields alone, in their order. */
export function pickEditable(fields: EditableFields): EditableFields {
  return Object.fromEntries(editableFields.map((name) => [name, fields[name]])) as EditableFields;
}

/** The fingerprints of the editable fields. */
export function editBase(fields: EditableFields): string {
  return editableFields.map((name) => printOf(fields[name])).join('');
}

/** Cloudinary's Media Library shows and edits these context keys as Title and Description. */
export const consoleKeys = { title: 'caption', description: 'alt' } as const;
type ConsoleField = keyof typeof consoleKeys;
const consoleFields = Object.keys(consoleKeys) as ConsoleField[];
/** Of the display name in `hf-shown`. */
const NAME_PLACE = consoleFields.length;

type Pairs = Readonly<Record<string, string>>;

/** A text as the console shows it: on one line, and cut where the host would cut or refuse it. */
export function shownText(text: string): string {
  if (isPlain(text)) return text;
  const line = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  const cut = line.slice(0, MAX_VALUE).replace(/[\uD800-\uDBFF]$/, '');
  // Version 0.1.0 deletes keys with a backslash that are not its own, and a key of ours that is gone clears its field.
  return cut.trimEnd().replaceAll('\\', '/');
}

/** What an asset has that is about to be written. */
export type AssetThere = Pick<HostMetadata, 'context' | 'displayName'> & { publicId?: string };

/**
 * Adds to `context` what the console is to show on an asset that has `there` now (null for a new one). Returns the display name to
 * write, or undefined to leave it.
 */
export function putShown(
  context: Record<string, string>,
  fields: Pick<MediaRecord, 'id' | 'filename' | ConsoleField>,
  there: AssetThere | null,
): string | undefined {
  const texts = consoleFields.map((name) => textToShow(name, fields[name], there?.context ?? {}));
  for (const [place, name] of consoleFields.entries())
    if (texts[place]) context[consoleKeys[name]] = texts[place];
  const known = printAt(NAME_PLACE, there?.context[SHOWN_KEY]) ?? '';
  const isOurs = isOwnId(fields.id) && (there === null || !isRenamed(there, known));
  const name = isOurs ? displayNameOf(fields) : '';
  context[SHOWN_KEY] = texts.map(printOf).join('') + (name === '' ? known : printOf(name));
  const isShown = there === null || there.displayName !== undefined;
  return isShown && name !== '' && name !== there?.displayName ? name : undefined;
}

/** What says the same already stays as it is, however long; and so does what others wrote until the field is edited here. */
function textToShow(name: ConsoleField, text: string, there: Pairs): string {
  const now = there[consoleKeys[name]];
  if (now === undefined) return shownText(text);
  const isUnedited = there['hf'] === undefined && (there[name] ?? now) === text;
  return now === text || isUnedited ? now : shownText(text);
}

/** The asset was renamed since we named it, or since the host named it after its public id. */
function isRenamed({ displayName, publicId = '' }: AssetThere, known: string): boolean {
  if (displayName === undefined || printOf(displayName) === known) return false;
  return displayName !== publicId.slice(publicId.lastIndexOf('/') + 1);
}

/** The title, else the file name, without what display names or public ids refuse. */
function displayNameOf({ title, filename }: Pick<MediaRecord, 'title' | 'filename'>): string {
  const line = shownText(title) === '' ? shownText(filename) : shownText(title);
  return line.replaceAll(/[/\\?&#%<>+]/g, '-').trim();
}

/**
 * What the console shows where our own key has `text`, and whether people edited it there; null where that is not known. What says the
 * same is no edit, though it may be cut.
 */
function inConsole(name: ConsoleField, text: string, context: Pairs) {
  const shown = context[consoleKeys[name]] ?? '';
  if (shown === text || shown === shownText(text)) return { shown, isEdited: false };
  const written = printAt(consoleFields.indexOf(name), context[SHOWN_KEY]);
  return { shown, isEdited: written === undefined ? null : printOf(shown) !== written };
}

/**
 * The value of a field of an asset with our mark: `own`, which our own keys hold in full, unless it was edited in the console. A key
 * that was removed there clears the field.
 */
export function textWithMark(name: ConsoleField, own: string, context: Pairs, id: string): string {
  const { shown, isEdited } = inConsole(name, own, context);
  if (isEdited !== null) return isEdited ? shown : own;
  // Written by version 0.1.0. A foreign asset may have had these keys before it was edited here.
  const isUnchanged = printOf(own) === printAt(editableFields.indexOf(name), context[BASE_KEY]);
  return shown !== '' && (own === '' || (isOwnId(id) && isUnchanged)) ? shown : own;
}

/**
 * The same of an asset without our mark: what is missing went with the mark and is no edit. Where our key and the console's differ the asset
 * alone decides, never our record: that may have merged the one, and would then merge the other, again and again.
 */
export function textWithoutMark(name: ConsoleField, ours: string, context: Pairs): string {
  const own = context[name] || ours;
  const { shown, isEdited } = inConsole(name, own, context);
  return shown === '' || isEdited === false ? own : shown;
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
  { context }: { context: Pairs },
  host: Side,
  ours: Side,
  mergeBase: MergeBase | null,
): Partial<EditableFields> {
  const base = mergeBase !== null && tellsBase(mergeBase, host, ours) ? mergeBase.base : context[BASE_KEY];
  const edited = editableFields.filter((name, place) => {
    const written = printAt(place, base);
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
