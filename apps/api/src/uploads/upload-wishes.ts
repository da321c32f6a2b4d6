import type { Request } from 'express';
import { z } from 'zod';
import { HoldfastError } from '@holdfast/shared/errors';
import { parseInput } from '../http/field-problems.js';
import { readPrefer, type Preferences } from '../http/prefer.js';

/** What a client asks for besides the upload itself. */
export interface UploadWishes extends Preferences {
  /** `return`: bytes that this client has uploaded before are answered with what is there. */
  duplicates: 'keep' | 'return';
  /** Null without the header. */
  idempotencyKey: string | null;
}

export const uploadQuery = z.object({
  duplicates: z
    .enum(['keep', 'return'], 'must be keep or return')
    .default('keep')
    .describe('`return`: if this client has uploaded these bytes before, the answer is the existing record.'),
});

/** Throws INVALID_REQUEST. */
export function readWishes(req: Request): UploadWishes {
  return {
    ...readPrefer(req.get('prefer')),
    ...parseInput(uploadQuery, req.query, 'the query is not valid'),
    idempotencyKey: readKey(req.get('idempotency-key')),
  };
}

function readKey(header: string | undefined): string | null {
  if (header === undefined) return null;
  if (/^[\x20-\x7e]{1,255}$/.test(header)) return header;
  throw new HoldfastError('INVALID_REQUEST', 'the Idempotency-Key is not valid', {
    errors: [{ path: 'Idempotency-Key', message: 'must have 1 to 255 printable ASCII characters' }],
  });
}
