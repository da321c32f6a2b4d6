export { encodeManifest, readManifest, type ManifestReading, type SnapshotManifest } from './manifest.js';
export { createDeletionNotes, type DeletionNotes } from './deletion-notes.js';
export {
  deletionFiles,
  deletionName,
  groupFiles,
  manifestName,
  partName,
  snapshotPrefix,
  type DeletionFile,
  type SnapshotFiles,
} from './snapshot-names.js';
export { readLines, sha256Of, writeParts, type SnapshotPart } from './snapshot-parts.js';
export { decodeLine, type SnapshotRecord, type SnapshotTombstone } from './snapshot-lines.js';
export { catalogLines, type LineCounts } from './catalog-lines.js';
export { snapshotLoading, type LoadOutcome } from './snapshot-loading.js';
