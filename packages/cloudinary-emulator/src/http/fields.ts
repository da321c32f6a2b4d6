/** Parameters of a request; a repeated or `name[]` parameter is a list under the name without brackets. */
export type Fields = Record<string, string | string[]>;

/** Adds one received parameter. */
export function addField(fields: Fields, rawName: string, value: string): void {
  const isList = rawName.endsWith('[]');
  const name = isList ? rawName.slice(0, -2) : rawName;
  const known = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (known === undefined) fields[name] = isList ? [value] : value;
  else fields[name] = [...(Array.isArray(known) ? known : [known]), value];
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
