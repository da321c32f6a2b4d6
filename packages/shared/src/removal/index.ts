export { removeRecord, type Deleted, type Removal, type RemovalDependencies } from './remove-record.js';
