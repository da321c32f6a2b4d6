export { createBatch } from './create-batch.js';
