export * from './error-catalogue.js';
export * from './holdfast-error.js';
export * from './nearest-name.js';
