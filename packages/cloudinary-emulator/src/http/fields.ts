import { ApiError } from '../api-error.js';

/** Parameters of a request, as Rack reads them: `name[]` is a list, under the name without brackets. */
export type Fields = Record<string, string | string[]>;

/**
 * Adds one received parameter, from a query, an urlencoded body or a multipart form. Of a repeated plain name the last value
 * counts. Throws a 400 where one name is both a text and a list.
 */
export function addField(fields: Fields, rawName: string, value: string): void {
  const isList = rawName.endsWith('[]');
  const name = isList ? rawName.slice(0, -2) : rawName;
  const known = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (known !== undefined && Array.isArray(known) !== isList)
    throw new ApiError(
      400,
      `expected ${isList ? 'Array (got String)' : 'String (got Array)'} for param \`${name}'`,
    );
  if (Array.isArray(known)) known.push(value);
  else fields[name] = isList ? [value] : value;
}

/** A parameter as one text; a list is joined by commas, absent is ''. */
export function fieldText(fields: Fields, name: string): string {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

/** A parameter as a list; one text counts as a list of one, absent as none. */
export function fieldList(fields: Fields, name: string): string[] {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

/** Whether the parameter was sent at all, even empty. */
export function hasField(fields: Fields, name: string): boolean {
  return Object.hasOwn(fields, name);
}

/** The two spellings of true that the SDK sends; `fallback` when absent. */
export function fieldFlag(fields: Fields, name: string, fallback: boolean): boolean {
  const text = fieldText(fields, name);
  return text === '' ? fallback : text === '1' || text === 'true';
}
