export { certificateFault, type CertificateFault } from './certificate-fault.js';
export {
  closeRedis,
  connectRedis,
  isReadyWithin,
  profileOfClient,
  type RedisClient,
  type RedisRole,
} from './connect-redis.js';
export { connectionEpoch, serverOf } from './connection-epoch.js';
export {
  fromRedisError,
  redisErrorKind,
  redisRefusal,
  refusals,
  type RedisErrorKind,
  type RedisRefusal,
} from './redis-error.js';
export { inRequests } from './in-requests.js';
export { fenceArgument, leaseFence, leaseFenceIfAny, unlessFenced, type LeaseToken } from './lease-fence.js';
export { membersOf } from './members-of.js';
export { commandsOf, missingRightsLua } from './missing-rights.js';
export { profileOf, redisProfiles, type RedisProfile } from './redis-profile.js';
export { readSettled } from './read-settled.js';
export { connectionError, redisBackoff } from './reconnect-patiently.js';
export { reconnectRedis } from './reconnect-redis.js';
export { redisEdge, scriptEdge } from './redis-edge.js';
export { redisKeys, type QueuePart, type RedisKeys } from './redis-keys.js';
export { defineScript, type Script, type ScriptArgument, type ScriptReply } from './script.js';
export { SentinelConnector } from './tame-ioredis.js';
export { timePrelude } from './time-prelude.js';
