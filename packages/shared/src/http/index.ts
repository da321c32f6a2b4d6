export { createBoundedServer } from './bounded-server.js';
export { endTurn } from './connections.js';
export { createShares, type Holding, type Shares } from './shares.js';
export type { Line } from './turns.js';
