export {
  decodeLine,
  encodeManifest,
  readLines,
  readManifest,
  sha256Of,
  writeParts,
  type ManifestFlaw,
  type SnapshotManifest,
  type SnapshotRecord,
  type SnapshotTombstone,
} from './snapshot-format.js';
export { catalogLines, snapshotLoading } from './snapshot-catalog.js';
export { createDeletionNotes, decodeDeletions, type DeletionNotes } from './deletion-notes.js';
export {
  deletionFiles,
  groupFiles,
  manifestName,
  partName,
  snapshotPrefix,
  type DeletionFile,
} from './snapshot-names.js';
