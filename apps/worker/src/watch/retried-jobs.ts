import type { Catalog } from '@holdfast/shared/catalog';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { RedisClient, RedisKeys } from '@holdfast/shared/redis';

/** What a sweep needs that adds jobs again for records whose work is not done. */
export interface RetryDependencies {
  redis: RedisClient;
  keys: RedisKeys;
  catalog: Pick<Catalog, 'findStored'>;
  queues: Pick<MediaQueues, 'add'>;
}

/** So many records each time, drawn at random: those that cannot be done stay listed, and must not keep the others waiting. */
export const RETRIED_AT_ONCE = 200;

/** There is one such job for each round, so those that failed are not kept for long. */
export const retriedJobOptions = { removeOnFail: { age: 86_400 } } as const;
