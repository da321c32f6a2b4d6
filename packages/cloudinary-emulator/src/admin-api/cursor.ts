import { createHash } from 'node:crypto';
import { ApiError } from '../api-error.js';

/** Where a listing continues: the sort key of the last item shown, and what was counted at its first page. */
export interface Cursor {
  key: (string | number)[];
  total?: number;
}

/** Makes a cursor that is only good for the same query. */
export function makeCursor(query: string, cursor: Cursor): string {
  return Buffer.from(JSON.stringify({ ...cursor, query: digest(query) })).toString('base64url');
}

/** Reads a cursor; null for ''. Throws 400 for one of another query, or none at all. */
export function readCursor(text: string, query: string): Cursor | null {
  if (text === '') return null;
  try {
    const cursor = JSON.parse(Buffer.from(text, 'base64url').toString()) as Cursor & { query: string };
    if (cursor.query === digest(query) && Array.isArray(cursor.key)) return cursor;
  } catch {
    // Answered below like any other cursor that is not ours.
  }
  throw new ApiError(400, 'Invalid value for parameter next_cursor');
}

function digest(query: string): string {
  return createHash('md5').update(query).digest('base64url').slice(0, 12);
}
