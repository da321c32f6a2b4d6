export * from './formats.js';
export * from './host-edits.js';
export * from './host-identity.js';
export * from './host-metadata.js';
export * from './media-id.js';
export * from './media-record.js';
export * from './record-from-asset.js';
