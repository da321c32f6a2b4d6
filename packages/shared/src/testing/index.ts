export { cutClients } from './cut-clients.js';
export { aRecord } from './media-builders.js';
export { startFaultProxy, type FaultProxy, type LinkMode } from './fault-proxy.js';
export { freePort } from './free-port.js';
export { startClusterSandbox } from './redis-cluster-sandbox.js';
export { startRedisSandbox, type RedisSandbox } from './redis-sandbox.js';
export { startSentinelSandbox } from './redis-sentinel-sandbox.js';
export { startTlsSandbox } from './tls-sandbox.js';
export type { FailoverServers, RedisServers } from './redis-servers.js';
