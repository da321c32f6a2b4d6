import { BASE_KEY, baseOf, fingerprintOf } from './host-edits.js';
import { isOwnId } from './media-id.js';
import type { MediaRecord } from './media-record.js';
import { isPlain, MAX_VALUE } from './text-encoding.js';

/** Cloudinary's Media Library shows and edits these context keys as Title and Description. */
export const consoleKeys = { title: 'caption', description: 'alt' } as const;
export type ConsoleField = keyof typeof consoleKeys;
const consoleFields = ['title', 'description'] as const;

/**
 * Fingerprints of what we wrote under these keys, and as the display name, so that an edit in the console can be distinguished from ours.
 * Version 0.1.0 takes this key for a foreign one and keeps it when it writes an edit: what the console still shows then is no edit.
 */
export const SHOWN_KEY = 'hf-shown';
const FINGERPRINT_LENGTH = 6;
/** After the fingerprints of both texts comes that of the display name, where we have written one. */
const NAME_START = 2 * FINGERPRINT_LENGTH;

export type Pairs = Readonly<Record<string, string>>;
type Shown = Pick<MediaRecord, 'id' | 'filename' | ConsoleField>;

/** A text as the console shows it: on one line, and cut where the host would cut or refuse it. */
export function shownText(text: string): string {
  if (isPlain(text)) return text;
  const line = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  const cut = line.slice(0, MAX_VALUE).replace(/[\uD800-\uDBFF]$/, '');
  // Version 0.1.0 deletes keys with a backslash that are not its own, and a key of ours that is gone clears its field.
  return cut.trimEnd().replaceAll('\\', '/');
}

/** What an asset has that is about to be written. */
export interface AssetThere {
  context: Pairs;
  displayName?: string;
  publicId?: string;
}

/**
 * Adds to `context` what the console is to show on an asset that has `there` now (null for a new one). Returns the display name to
 * write, or undefined to leave it.
 */
export function putShown(
  context: Record<string, string>,
  fields: Shown,
  there: AssetThere | null,
): string | undefined {
  const texts = consoleFields.map((name) => textToShow(name, fields[name], there?.context ?? {}));
  for (const [index, name] of consoleFields.entries()) {
    const text = texts[index] ?? '';
    if (text !== '') context[consoleKeys[name]] = text;
  }
  const known = there?.context[SHOWN_KEY]?.slice(NAME_START, NAME_START + FINGERPRINT_LENGTH) ?? '';
  const isOurs = isOwnId(fields.id) && (there === null || !isRenamed(there, known));
  const name = isOurs ? displayNameOf(fields) : '';
  context[SHOWN_KEY] = texts.map(fingerprintOf).join('') + (name === '' ? known : fingerprintOf(name));
  const isShown = there === null || there.displayName !== undefined;
  return isShown && name !== '' && name !== there?.displayName ? name : undefined;
}

/** The asset was renamed since we named it, or since the host named it after its public id. */
function isRenamed({ displayName, publicId = '' }: AssetThere, known: string): boolean {
  if (displayName === undefined || fingerprintOf(displayName) === known) return false;
  return displayName !== publicId.slice(publicId.lastIndexOf('/') + 1);
}

/** The title, else the file name, without what display names or public ids refuse. */
function displayNameOf({ title, filename }: Shown): string {
  const line = shownText(title) === '' ? shownText(filename) : shownText(title);
  return line.replaceAll(/[/\\?&#%<>+]/g, '-').trim();
}

/** What says the same already stays as it is, however long; and so does what others wrote until the field is edited here. */
function textToShow(name: ConsoleField, text: string, there: Pairs): string {
  const now = there[consoleKeys[name]];
  if (now === undefined) return shownText(text);
  const isUnedited = there['hf'] === undefined && (there[name] ?? now) === text;
  return now === text || isUnedited ? now : shownText(text);
}

/**
 * The value of a field of an asset with our mark: `own`, which our own keys hold in full, unless the text in the console was edited
 * since we wrote it. A key that was removed in the console clears the field.
 */
export function editedInConsole(name: ConsoleField, own: string, context: Pairs, id: string): string {
  const shown = context[consoleKeys[name]] ?? '';
  if (shown === own) return own;
  const isOurs = isAsWritten(name, context);
  if (isOurs !== null) return isOurs ? own : shown;
  // Written by version 0.1.0, which left these keys alone. A foreign asset may have had them before it was edited here.
  if (shown === '' || shown === shownText(own)) return own;
  const isAdded = isOwnId(id) && fingerprintOf(own) === baseOf(context[BASE_KEY], name);
  return own === '' || isAdded ? shown : own;
}

/** Whether the console still shows what we wrote there; null where that is not known. */
export function isAsWritten(name: ConsoleField, context: Pairs): boolean | null {
  const start = consoleFields.indexOf(name) * FINGERPRINT_LENGTH;
  const written = context[SHOWN_KEY]?.slice(start, start + FINGERPRINT_LENGTH);
  return written?.length === FINGERPRINT_LENGTH
    ? fingerprintOf(context[consoleKeys[name]] ?? '') === written
    : null;
}
