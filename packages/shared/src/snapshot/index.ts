export {
  decodeLine,
  encodeManifest,
  readLines,
  readManifest,
  sha256Of,
  writeParts,
  type ManifestReading,
  type SnapshotManifest,
  type SnapshotPart,
  type SnapshotRecord,
  type SnapshotTombstone,
} from './snapshot-format.js';
export { catalogLines, snapshotLoading, type LineCounts, type LoadOutcome } from './snapshot-catalog.js';
export { createDeletionNotes, type DeletionNotes } from './deletion-notes.js';
export {
  decodeDeletions,
  joinDeletions,
  listedDeletions,
  noteDeletions,
  type DeletionSizes,
  type ListedDeletions,
} from './deletion-files.js';
export {
  deletionFiles,
  groupFiles,
  manifestName,
  partName,
  snapshotPrefix,
  type DeletionFile,
  type SnapshotFiles,
} from './snapshot-names.js';
