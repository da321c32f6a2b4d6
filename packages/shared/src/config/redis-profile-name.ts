/** Kinds of Redis that we treat differently; what is different is in `redisProfiles` of the redis feature. */
export const redisProfileNames = ['standard', 'upstash'] as const;
/** One of them. */
export type RedisProfileName = (typeof redisProfileNames)[number];
