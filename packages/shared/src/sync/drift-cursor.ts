import { HoldfastError } from '../errors/index.js';

/** Where a page of a report stopped: the run that it is of, and the place of the last item. */
export interface DriftPosition {
  runId: string;
  place: string;
}

export function encodeDriftCursor({ runId, place }: DriftPosition): string {
  return Buffer.from(`${runId}\n${place}`, 'utf8').toString('base64url');
}

/** Throws INVALID_CURSOR for text that is none of ours. */
export function decodeDriftCursor(cursor: string): DriftPosition {
  const [runId = '', place = '', ...rest] = Buffer.from(cursor, 'base64url').toString('utf8').split('\n');
  const whole = runId !== '' && place !== '' && rest.length === 0;
  if (!whole || encodeDriftCursor({ runId, place }) !== cursor)
    throw new HoldfastError('INVALID_CURSOR', 'the cursor is not one of ours');
  return { runId, place };
}
