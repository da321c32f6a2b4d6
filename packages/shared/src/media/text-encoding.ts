/**
 * Text of any alphabet inside the host's key-value context. Values there hold at most 255 characters that every
 * layer keeps (Cloudinary: 1,024, older accounts 255; its SDK does not escape backslashes), so what is longer
 * or unusual is written as base64url over numbered keys: `name`, `name_1`, `name_2` …
 */
export const MAX_VALUE = 255;
const CHUNK = 250;
const LITERAL = 't';
const BASE64 = 'b';
const MAX_CHUNKS = 400;

/** True for text that travels unchanged as one plain value. */
export function isPlain(text: string): boolean {
  return (
    text !== '' && text.length <= MAX_VALUE && text === text.trim() && !/[\\\p{Cc}\p{Zl}\p{Zp}]/u.test(text)
  );
}

/** Adds `text` to `context` under `name`, encoded; empty text adds nothing. */
export function putText(context: Record<string, string>, name: string, text: string): void {
  if (text === '') return;
  if (isPlain(text) && text.length <= CHUNK) {
    context[name] = LITERAL + text;
    return;
  }
  const encoded = BASE64 + Buffer.from(text, 'utf8').toString('base64url');
  for (let start = 0, part = 0; start < encoded.length; start += CHUNK, part += 1) {
    context[part === 0 ? name : `${name}_${String(part)}`] = encoded.slice(start, start + CHUNK);
  }
}

/** What `putText` wrote, or null where there is nothing under that name or it cannot be read. */
export function takeText(context: Readonly<Record<string, string>>, name: string): string | null {
  const first = context[name];
  if (first === undefined) return null;
  if (first.startsWith(LITERAL)) return first.slice(1);
  if (!first.startsWith(BASE64)) return null;
  let encoded = first.slice(1);
  for (let part = 1; part < MAX_CHUNKS; part += 1) {
    const next = context[`${name}_${String(part)}`];
    if (next === undefined) break;
    encoded += next;
  }
  return Buffer.from(encoded, 'base64url').toString('utf8');
}
