import type { Catalog, UnfinishedRecord } from '@holdfast/shared/catalog';
import type { MediaQueues } from '@holdfast/shared/jobs';
import type { MediaRecord } from '@holdfast/shared/media';
import { retryRound } from './retry-round.js';

/** What a sweep needs that adds jobs again for records whose work is not done. */
export interface RetryDependencies {
  catalog: Pick<Catalog, 'findStored' | 'drawUnpushed' | 'drawDeleting'>;
  queues: Pick<MediaQueues, 'add'>;
}

/** So many records each time. */
export const RETRIED_AT_ONCE = 200;

/** There is one such job for each round, so those that failed are not kept for long. */
export const retriedJobOptions = { removeOnFail: { age: 86_400 } } as const;

/** Those whose next try is due, with the round of it. */
export async function dueAgain(
  unfinished: readonly UnfinishedRecord[],
  catalog: Pick<Catalog, 'findStored'>,
): Promise<{ record: MediaRecord; round: number }[]> {
  const now = Date.now();
  const due = unfinished
    .map(({ id, sinceMs }) => ({ id, round: retryRound(now, sinceMs) }))
    .filter(({ round }) => round > 0);
  const found = await catalog.findStored(due.map(({ id }) => id));
  return due.flatMap(({ round }, index) => {
    const record = found[index]?.record;
    return record === undefined ? [] : [{ record, round }];
  });
}
