import type { Request } from 'express';
import { HoldfastError } from '@holdfast/shared/errors';
import { readPrefer, type Preferences } from '../http/prefer.js';

/** What a client asks for besides the upload itself. */
export interface UploadWishes extends Preferences {
  /** `return`: bytes that this client has uploaded before are answered with what is there. */
  duplicates: 'keep' | 'return';
  /** Null without the header. */
  idempotencyKey: string | null;
}

/** Throws INVALID_REQUEST. */
export function readWishes(req: Request): UploadWishes {
  return {
    ...readPrefer(req.get('prefer')),
    duplicates: readDuplicates(req.query['duplicates']),
    idempotencyKey: readKey(req.get('idempotency-key')),
  };
}

function readDuplicates(value: unknown): UploadWishes['duplicates'] {
  if (value === undefined) return 'keep';
  if (value === 'keep' || value === 'return') return value;
  throw new HoldfastError('INVALID_REQUEST', 'the query is not valid', {
    errors: [{ path: 'duplicates', message: 'must be keep or return' }],
  });
}

function readKey(header: string | undefined): string | null {
  if (header === undefined) return null;
  if (/^[\x20-\x7e]{1,255}$/.test(header)) return header;
  throw new HoldfastError('INVALID_REQUEST', 'the Idempotency-Key is not valid', {
    errors: [{ path: 'Idempotency-Key', message: 'must have 1 to 255 printable ASCII characters' }],
  });
}
