export {
  encodeManifest,
  groupFiles,
  manifestName,
  partName,
  readManifest,
  readPart,
  SnapshotFlaw,
  snapshotPrefix,
  writeParts,
  type SnapshotLine,
  type SnapshotManifest,
  type SnapshotRecord,
} from './snapshot-format.js';
export { catalogLines, loadLines } from './snapshot-catalog.js';
export {
  createDeletionNotes,
  decodeDeletions,
  deletionFiles,
  type DeletionFile,
  type DeletionNotes,
} from './deletion-notes.js';
