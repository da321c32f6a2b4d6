export { createBatch } from './create-batch.js';
export { createTurnBatch } from './create-turn-batch.js';
