import { mediaOperations } from './media-operations.js';
import type { Operations } from './operation.js';
import { statusOperations } from './status-operations.js';
import { syncOperations } from './sync-operations.js';
import { uploadOperations } from './upload-operations.js';

/** A description of every route but Bull Board's. */
export const operations: Operations = {
  ...uploadOperations,
  ...mediaOperations,
  ...syncOperations,
  ...statusOperations,
};
