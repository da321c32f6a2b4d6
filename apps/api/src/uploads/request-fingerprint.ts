import { createHash } from 'node:crypto';
import type { Request } from 'express';
import type { MediaFields } from '../media/media-fields.js';
import type { FileDigest } from './receive-file.js';

/** What a client sent in the body of an upload. */
export interface SentUpload extends FileDigest {
  filename: string;
  fields: MediaFields;
}

/**
 * Fingerprint of an upload, 32 hex digits: the same for the same method, path, query, fields, file name and bytes, however
 * the form was put together.
 */
export function requestFingerprint(
  { method, originalUrl }: Pick<Request, 'method' | 'originalUrl'>,
  sent: Omit<SentUpload, 'md5'>,
): string {
  const [path = '', query = ''] = originalUrl.split('?', 2);
  const { title, description, category, tags } = sent.fields;
  const parts = [
    method,
    path,
    [...new URLSearchParams(query)].map(([name, value]) => `${name}=${value}`).toSorted(),
    [title, description, category, tags],
    sent.filename,
    sent.bytes,
    sent.sha256,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
