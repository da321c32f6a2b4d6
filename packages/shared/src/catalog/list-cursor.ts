import { HoldfastError } from '../errors/index.js';
import { isMediaId } from '../media/index.js';

/** Where a listing stopped: the creation time and id of the last item looked at. */
export interface Position {
  createdMs: number;
  id: string;
}

export type ListOrder = 'newest' | 'oldest';

/** The order of the indexes: by creation time, then by id as bytes. */
export function byCreation(order: ListOrder): (a: Position, b: Position) => number {
  const sign = order === 'newest' ? -1 : 1;
  return (a, b) => sign * (a.createdMs - b.createdMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** Opaque text for clients. The fingerprint ties it to the filters it was made for. */
export function encodeCursor(position: Position, fingerprint: string): string {
  return Buffer.from(`${String(position.createdMs)}.${position.id}.${fingerprint}`, 'utf8').toString(
    'base64url',
  );
}

/** Throws INVALID_CURSOR for text that is none of ours, or was made for other filters. */
export function decodeCursor(cursor: string, fingerprint: string): Position {
  const [createdMs = '', id = '', print, ...rest] = Buffer.from(cursor, 'base64url')
    .toString('utf8')
    .split('.');
  const valid = /^-?\d{1,16}$/.test(createdMs) && isMediaId(id) && print === fingerprint && rest.length === 0;
  if (!valid)
    throw new HoldfastError('INVALID_CURSOR', 'the cursor is not one of ours, or belongs to other filters');
  return { createdMs: Number(createdMs), id };
}
