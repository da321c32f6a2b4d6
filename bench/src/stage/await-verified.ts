import type { Redis } from 'ioredis';
import { statusCode } from '@holdfast/shared/catalog';
import type { RedisKeys } from '@holdfast/shared/redis';
import { until } from '../until.js';

/** Resolves once no record is `saving` any more: acceptance writes records in that state, verification ends it. */
export function awaitVerified(redis: Redis, keys: RedisKeys): Promise<void> {
  const saving = keys.byStatus(statusCode.saving);
  return until('all records verified', 60_000, 3, async () => (await redis.zcard(saving)) === 0);
}
