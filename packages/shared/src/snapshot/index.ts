export { encodeManifest, readManifest, type ManifestReading, type SnapshotManifest } from './manifest.js';
export { createDeletionNotes, type DeletionNotes } from './deletion-notes.js';
export { decodeDeletions, joinDeletions, noteDeletions } from './join-deletions.js';
export { listedDeletions, type DeletionSizes, type ListedDeletions } from './listed-deletions.js';
export {
  deletionFiles,
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
