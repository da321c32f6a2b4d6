import type { CarriedFields } from './host-metadata.js';
import type { MediaRecord } from './media-record.js';

/** What of a record travels with its asset. */
export function carriedFields(record: MediaRecord): CarriedFields {
  const { id, revision, filename, title, description, category, tags, uploadedBy, source } = record;
  return {
    id,
    revision,
    filename,
    title,
    description,
    category,
    tags,
    uploadedBy,
    source,
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
    sha256: record.checksum.sha256,
    md5: record.checksum.md5,
    ...(record.durationSeconds === null ? {} : { durationSeconds: record.durationSeconds }),
  };
}
