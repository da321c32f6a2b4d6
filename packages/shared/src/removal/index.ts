export { finishRemoval } from './finish-removal.js';
export { removeRecord, type Deleted, type RemovalDependencies } from './remove-record.js';
