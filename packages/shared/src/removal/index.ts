export { removeRecord, type Deleted, type RemovalDependencies } from './remove-record.js';
