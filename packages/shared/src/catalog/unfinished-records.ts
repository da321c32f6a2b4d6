import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { statusCode } from './record-codec.js';

/** A record whose edit, or deletion, the host has not confirmed. */
export interface UnfinishedRecord {
  id: string;
  /** When it was edited, or deleted. */
  sinceMs: number;
}

/**
 * What waits for the host, drawn at random: what cannot be done stays listed, and must not keep the rest waiting. Throws
 * CATALOG_UNAVAILABLE.
 */
export function unfinishedRecords(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  return {
    drawUnpushed: (count: number): Promise<UnfinishedRecord[]> =>
      guarded(async () => {
        const listed = await redis.zrandmember(keys.unpushed, count, 'WITHSCORES');
        return listed.flatMap((id, index) =>
          index % 2 === 0 ? [{ id, sinceMs: Number(listed[index + 1]) }] : [],
        );
      }),
    drawDeleting: (count: number): Promise<UnfinishedRecord[]> =>
      guarded(async () => {
        const ids = await redis.zrandmember(keys.byStatus(statusCode.deleting), count);
        if (ids.length === 0) return [];
        const deletedAt = await redis.zmscore(keys.tombstones, ...ids);
        return ids.flatMap((id, index) => {
          const since = deletedAt[index] ?? null;
          return since === null ? [] : [{ id, sinceMs: Number(since) }];
        });
      }),
  };
}
