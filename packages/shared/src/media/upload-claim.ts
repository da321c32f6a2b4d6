/**
 * What ties an asset to the Idempotency-Key of its upload, so that an emptied Redis learns again which keys are used up.
 * It travels with the asset and is no part of the record. Both are 32 hex digits.
 */
export interface UploadClaim {
  /** Hash of the client and its key. */
  key: string;
  /** Fingerprint of the request, see requestPrint. */
  print: string;
}

const KEY = 'hf_idem';
const PRINT = 'hf_print';
const HASH = /^[0-9a-f]{32}$/;

export function putClaim(context: Record<string, string>, { key, print }: UploadClaim): void {
  context[KEY] = key;
  context[PRINT] = print;
}

/** Undefined for assets of uploads without a key. */
export function takeClaim(context: Readonly<Record<string, string>>): UploadClaim | undefined {
  const key = context[KEY] ?? '';
  const print = context[PRINT] ?? '';
  return HASH.test(key) && HASH.test(print) ? { key, print } : undefined;
}
