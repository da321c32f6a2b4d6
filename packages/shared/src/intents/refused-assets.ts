import { resourceTypes, type ResourceType } from '../media/index.js';
import { membersOf, redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';

/** An asset on the host that was never acknowledged and must go. */
export interface RefusedAsset {
  publicId: string;
  resourceType: ResourceType;
}

const run = redisEdge('QUEUE_UNAVAILABLE');

/** Refused uploads whose removal from the host failed: remembered, and retried until the host confirms. */
export function createRefusedAssets(redis: RedisClient, keys: RedisKeys) {
  return {
    add: (asset: RefusedAsset, dueAtMs: number): Promise<void> =>
      run(async () => {
        await redis.zadd(keys.refused, dueAtMs, memberOf(asset));
      }),
    due: (nowMs: number, count: number): Promise<RefusedAsset[]> =>
      run(async () => {
        const due = await redis.zrangebyscore(keys.refused, '-inf', nowMs, 'LIMIT', 0, count);
        return due.map(fromMember);
      }),
    /** Those of these that must be removed, in their order. */
    areRefused: (assets: readonly RefusedAsset[]): Promise<boolean[]> =>
      run(async () => {
        const refused = await membersOf(redis, keys.refused, assets.map(memberOf));
        return assets.map((asset) => refused.has(memberOf(asset)));
      }),
    done: (asset: RefusedAsset): Promise<void> =>
      run(async () => {
        await redis.zrem(keys.refused, memberOf(asset));
      }),
  };
}

/**
 * What `createRefusedAssets` gives. Times are milliseconds since the epoch. Every function throws
 * QUEUE_UNAVAILABLE when Redis cannot serve.
 */
export type RefusedAssets = ReturnType<typeof createRefusedAssets>;

function memberOf({ resourceType, publicId }: RefusedAsset): string {
  return `${resourceType}:${publicId}`;
}

function fromMember(member: string): RefusedAsset {
  const [type] = member.split(':', 1);
  return {
    resourceType: resourceTypes.find((known) => known === type) ?? 'image',
    publicId: member.slice((type ?? '').length + 1),
  };
}
