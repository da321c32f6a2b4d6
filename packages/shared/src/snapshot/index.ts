export {
  decodeLine,
  encodeManifest,
  readLines,
  readManifest,
  sha256Of,
  writeParts,
  type SnapshotManifest,
  type SnapshotRecord,
  type SnapshotTombstone,
} from './snapshot-format.js';
export { catalogLines, snapshotLoading, type LoadOutcome } from './snapshot-catalog.js';
export { createDeletionNotes, type DeletionNotes } from './deletion-notes.js';
export { decodeDeletions, joinDeletions, listedDeletions, noteDeletions } from './deletion-files.js';
export {
  deletionFiles,
  groupFiles,
  manifestName,
  partName,
  snapshotPrefix,
  type DeletionFile,
} from './snapshot-names.js';
