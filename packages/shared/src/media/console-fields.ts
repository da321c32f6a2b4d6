import { BASE_KEY, baseOf, printOf, type EditableFields } from './host-edits.js';
import { isOwnId } from './media-id.js';
import { isPlain, MAX_VALUE } from './text-encoding.js';

/** Cloudinary's Media Library shows and edits these context keys as Title and Description. */
export const consoleKeys = { title: 'caption', description: 'alt' } as const;
type ConsoleField = keyof typeof consoleKeys;
const consoleFields = ['title', 'description'] as const;

/**
 * Prints of what we wrote under these keys, so that an edit in the console can be told from ours. Version 0.1.0 takes this key for one
 * of others, and keeps it when it writes an edit: what the console still shows then is no edit.
 */
export const SHOWN_KEY = 'hf-shown';
const PRINT_LENGTH = 6;

type Pairs = Readonly<Record<string, string>>;
type Texts = Pick<EditableFields, ConsoleField>;

/** A text as the console shows it: on one line, and cut where the host would cut or refuse it. */
export function shownText(text: string): string {
  if (isPlain(text)) return text;
  const line = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  const cut = line.slice(0, MAX_VALUE).replace(/[\uD800-\uDBFF]$/, '');
  // Only where a backslash is certain to come back as it was sent.
  return cut.trimEnd().replaceAll(/\\(?=[\\=|]|$)/g, '/');
}

/** Adds to `context` what the console is to show on an asset that has `there` now. */
export function putShown(context: Record<string, string>, fields: Texts, there: Pairs): void {
  const shown = consoleFields.map((name) => textToShow(name, fields[name], there));
  for (const [index, name] of consoleFields.entries()) {
    const text = shown[index] ?? '';
    if (text !== '') context[consoleKeys[name]] = text;
  }
  context[SHOWN_KEY] = shown.map(printOf).join('');
}

/** What says the same already stays as it is, however long; and so does what others wrote until the field is edited here. */
function textToShow(name: ConsoleField, text: string, there: Pairs): string {
  const now = there[consoleKeys[name]];
  if (now === undefined) return shownText(text);
  const isUnedited = there['hf'] === undefined && (there[name] ?? now) === text;
  return now === text || isUnedited ? now : shownText(text);
}

/**
 * What a field of an asset with our mark says: our own keys have `own` in full, unless the console has been given another text since we
 * wrote there. A key that was removed in the console clears the field.
 */
export function editedInConsole(name: ConsoleField, own: string, context: Pairs, id: string): string {
  const shown = context[consoleKeys[name]] ?? '';
  if (shown === own) return own;
  const start = consoleFields.indexOf(name) * PRINT_LENGTH;
  const written = context[SHOWN_KEY]?.slice(start, start + PRINT_LENGTH);
  if (written?.length === PRINT_LENGTH) return printOf(shown) === written ? own : shown;
  // Written by version 0.1.0, which left these keys alone. A foreign asset may have had them before it was edited here.
  if (shown === '') return own;
  const isAdded = isOwnId(id) && printOf(own) === baseOf(context[BASE_KEY], name);
  return own === '' || isAdded ? shown : own;
}
