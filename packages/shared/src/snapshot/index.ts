export * from './snapshot-format.js';
export * from './snapshot-catalog.js';
export * from './deletion-notes.js';
