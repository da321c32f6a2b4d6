import { ApiError } from './api-error.js';

const MAX_PAIRS = 1000;
const MAX_VALUE_CHARS = 1024;

/**
 * Reads `k=v|k2=v2`, where `\=` and `\|` stand for the characters themselves. A backslash before anything
 * else is a backslash. Throws the API's 400 past its limits.
 */
export function parseContext(text: string): Record<string, string> {
  const context: Record<string, string> = {};
  let pairs = 0;
  for (const pair of splitUnescaped(text, '|')) {
    if (pair === '') continue;
    const [key = '', ...rest] = splitUnescaped(pair, '=');
    const value = unescape(rest.join('='));
    if (value.length > MAX_VALUE_CHARS) {
      throw new ApiError(
        400,
        `Context value for ${unescape(key)} is too long (maximum is ${MAX_VALUE_CHARS} characters)`,
      );
    }
    pairs += 1;
    if (pairs > MAX_PAIRS) throw new ApiError(400, `Too many context pairs (maximum is ${MAX_PAIRS})`);
    context[unescape(key)] = value;
  }
  return context;
}

/** Structured metadata travels in the same encoding; a value that starts with `[` is a list. */
export function parseMetadata(text: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(parseContext(text)).map(([key, value]) => [
      key,
      value.startsWith('[') ? parseList(value) : value,
    ]),
  );
}

/** Comma-separated, blanks around a tag do not count, repeated tags are one. */
export function parseTags(text: string): string[] {
  const tags = text
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
  return [...new Set(tags)];
}

function splitUnescaped(text: string, separator: '|' | '='): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (char === '\\' && (text[index + 1] === '|' || text[index + 1] === '=')) index += 1;
    else if (char === separator) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function unescape(text: string): string {
  return text.replaceAll(/\\([|=])/g, '$1');
}

function parseList(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
