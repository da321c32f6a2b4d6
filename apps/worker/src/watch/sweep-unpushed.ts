import type { Catalog } from '@holdfast/shared/catalog';
import { pushJob, type MediaQueues } from '@holdfast/shared/jobs';
import { fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { retryRound } from './retry-round.js';

export interface SweepUnpushedDependencies {
  redis: RedisClient;
  keys: RedisKeys;
  catalog: Pick<Catalog, 'findStored'>;
  queues: Pick<MediaQueues, 'add'>;
}

const AT_ONCE = 200;
const DAY_SECONDS = 86_400;

/** Edits that the host still lacks, though their job is gone or has given up: one more job, at growing distances. */
export async function sweepUnpushed({
  redis,
  keys,
  catalog,
  queues,
}: SweepUnpushedDependencies): Promise<void> {
  const listed = await redis
    .zrange(keys.unpushed, 0, String(AT_ONCE - 1), 'WITHSCORES')
    .catch((error: unknown) => {
      throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
    });
  const now = Date.now();
  const due = listed.flatMap((id, index) => {
    const round = index % 2 === 0 ? retryRound(now - Number(listed[index + 1])) : 0;
    return round === 0 ? [] : [{ id, round }];
  });
  const found = await catalog.findStored(due.map(({ id }) => id));
  for (const [index, { id, round }] of due.entries()) {
    const record = found[index]?.record;
    if (record === undefined) continue;
    await queues.add(
      pushJob,
      { id, revision: record.revision, round },
      { removeOnFail: { age: DAY_SECONDS } },
    );
  }
}
