export { createBoundedServer, type BoundedServerOptions } from './bounded-server.js';
export { createShares, type Holding, type Shares } from './shares.js';
