export { createCatalog, type Catalog } from './catalog.js';
export { catalogBirth } from './catalog-birth.js';
export { catalogReads, type CatalogCounts } from './catalog-reads.js';
export type {
  Expected,
  FailedAttempt,
  SaveEntry,
  SaveOutcome,
  VerifiedEntry,
  VerifiedOutcome,
} from './catalog-writes.js';
export { bytesOfRecord, type ContentOf } from './index-entries.js';
export { createPage, type FreshRecord } from './page-writes.js';
export { pageAfter } from './index-pages.js';
export type { Position } from './list-cursor.js';
export type { ListQuery, MediaPage } from './list-media.js';
export type { MediaFilters } from './media-filters.js';
export {
  decodeRecord,
  encodeContent,
  readDuration,
  readIndexed,
  readRevision,
  readTags,
  statusCode,
  typeCode,
  type StoredRecord,
} from './record-codec.js';
export type { UnfinishedRecord } from './unfinished-records.js';
