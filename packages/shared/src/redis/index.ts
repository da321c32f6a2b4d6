export {
  closeRedis,
  connectionError,
  connectRedis,
  isReadyWithin,
  profileOfClient,
  reconnectRedis,
  redisBackoff,
  type RedisClient,
  type RedisRole,
} from './connect-redis.js';
export { connectionEpoch, serverOf } from './connection-epoch.js';
export {
  fromRedisError,
  redisErrorKind,
  redisFault,
  redisRefusal,
  type RedisErrorKind,
  type RedisFault,
  type RedisRefusal,
} from './redis-error.js';
export { inRequests, membersOf, readSettled } from './requests.js';
export { profileOf, redisProfiles, type RedisProfile } from './redis-profile.js';
export { redisKeys, type QueuePart, type RedisKeys } from './redis-keys.js';
export {
  commandsOf,
  defineScript,
  fenceArgument,
  leaseFence,
  leaseFenceIfAny,
  missingRightsLua,
  redisEdge,
  scriptEdge,
  timePrelude,
  unlessFenced,
  type LeaseToken,
  type Script,
  type ScriptArgument,
  type ScriptReply,
} from './scripts.js';
export { SentinelConnector } from './tame-ioredis.js';
