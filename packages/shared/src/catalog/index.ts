export { catalogEpoch, createCatalog, type Catalog } from './catalog.js';
export { pageAfter, signsOfOldIndexes, type Position } from './indexes.js';
export type { ListQuery, MediaFilters, MediaPage } from './list-media.js';
export { catalogReads, type CatalogCounts, type FoundRecord, type UnfinishedRecord } from './reads.js';
export {
  decodeRecord,
  encodeContent,
  readIndexed,
  statusCode,
  typeCode,
  type StoredRecord,
} from './record.js';
export {
  type ContentOf,
  type Expected,
  type FailedAttempt,
  type SaveEntry,
  type SaveOutcome,
  type VerifiedEntry,
  type VerifiedOutcome,
} from './writes.js';
