export * from './drift-report.js';
export * from './sync-run.js';
export * from './sync-state.js';
export * from './unseen-records.js';
