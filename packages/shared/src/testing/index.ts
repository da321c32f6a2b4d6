export { freePort, startRedisSandbox, type RedisSandbox } from './redis-sandbox.js';
export { aRecord } from './media-builders.js';
