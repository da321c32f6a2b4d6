export * from './connect-redis.js';
export * from './redis-error.js';
export * from './redis-keys.js';
export * from './redis-profile.js';
export * from './requests.js';
export * from './scripts.js';
export { SentinelConnector } from './tame-ioredis.js';
