import type { Catalog, UnfinishedRecord } from '@holdfast/shared/catalog';
import { pushJob, removeJob, type MediaQueues } from '@holdfast/shared/jobs';
import type { MediaRecord } from '@holdfast/shared/media';
import { redisEdge, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { sweepIntents, type SweepIntentsDependencies } from './sweep-intents.js';
import { sweepRefused, type SweepRefusedDependencies } from './sweep-refused.js';

export interface SweepDependencies extends Omit<SweepRefusedDependencies, 'intents' | 'catalog'> {
  intents: SweepIntentsDependencies['intents'] & SweepRefusedDependencies['intents'];
  catalog: SweepIntentsDependencies['catalog'] & RetryDependencies['catalog'];
  queues: SweepIntentsDependencies['queues'] & RetryDependencies['queues'];
  redis: RedisClient;
  keys: RedisKeys;
}

/** For this long no other process begins one. */
const LEASE_MS = 4_000;
/** The next one handles what it did not reach. */
const LIMIT_MS = 25_000;

/**
 * Finishes what crashes and failures left: intents, refused uploads, edits that the host lacks, deletions that it has not
 * confirmed. The lease only saves work: each sweep is safe beside another, since scripts decide who may destroy what. Rejects once
 * all have ended, where one of them failed.
 */
export async function sweep(deps: SweepDependencies, stopping: AbortSignal): Promise<void> {
  const { redis, keys, log } = deps;
  const guarded = redisEdge('QUEUE_UNAVAILABLE');
  if ((await guarded(() => redis.set(keys.sweepLease, 1, 'PX', LEASE_MS, 'NX'))) === null) return;
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(LIMIT_MS)]);
  // Side by side: one that has much to ask of a host that is far away must not hold up the others.
  const steps = {
    intents: sweepIntents(deps, signal),
    refused: sweepRefused(deps, signal),
    unpushed: sweepUnpushed(deps),
    deleting: sweepDeleting(deps),
  };
  const ended = await Promise.allSettled(Object.values(steps));
  const names = Object.keys(steps);
  const failures = ended.flatMap((step, index) =>
    step.status === 'rejected' ? [{ step: names[index], error: step.reason as unknown }] : [],
  );
  for (const failure of failures) log.warn('sweep.step_failed', failure);
  if (failures[0] !== undefined) throw failures[0].error;
}

/** What a sweep needs that adds jobs again for records whose work is not done. */
export interface RetryDependencies {
  catalog: Pick<Catalog, 'findStored' | 'drawUnpushed' | 'drawDeleting'>;
  queues: Pick<MediaQueues, 'add'>;
}

/** Records per round. */
export const RETRIED_AT_ONCE = 200;
/** There is one such job for each round, so those that failed are not kept for long. */
const retriedJobOptions = { removeOnFail: { age: 86_400 } } as const;

/** Edits that the host still lacks, though their job is gone or has given up: one more job, at growing distances. */
export async function sweepUnpushed({ catalog, queues }: RetryDependencies): Promise<void> {
  for (const { record, round } of await dueAgain(await catalog.drawUnpushed(RETRIED_AT_ONCE), catalog))
    await queues.add(pushJob, { id: record.id, revision: record.revision, round }, retriedJobOptions);
}

/** Deletions that the host has not confirmed, though their job is gone or has given up: likewise. */
export async function sweepDeleting({ catalog, queues }: RetryDependencies): Promise<void> {
  for (const { record, round } of await dueAgain(await catalog.drawDeleting(RETRIED_AT_ONCE), catalog)) {
    const { id, publicId, resourceType } = record;
    await queues.add(removeJob, { id, publicId, resourceType, round }, retriedJobOptions);
  }
}

/** Those whose next try is due, with the round of it. */
async function dueAgain(
  unfinished: readonly UnfinishedRecord[],
  catalog: Pick<Catalog, 'findStored'>,
): Promise<{ record: MediaRecord; round: number }[]> {
  const now = Date.now();
  const due = unfinished
    .map(({ id, sinceMs }) => ({ id, round: retryRound(now - sinceMs) }))
    .filter(({ round }) => round > 0);
  const found = await catalog.findStored(due.map(({ id }) => id));
  return due.flatMap(({ round }, index) => {
    const record = found[index]?.record;
    return record === undefined ? [] : [{ record, round }];
  });
}

const FIRST_MS = 30_000;
const HOUR_MS = 3_600_000;
const ROUNDS_IN_FIRST_HOUR = 7;

/**
 * The number of the try that something unfinished has reached by its age: after 30 s, 1, 2, 4 … minutes, then hourly,
 * for ever. Jobs carry it in their id, so each try is made once, however many processes sweep. 0 = too early.
 */
function retryRound(ageMs: number): number {
  if (ageMs < FIRST_MS) return 0;
  if (ageMs < HOUR_MS) return 1 + Math.floor(Math.log2(ageMs / FIRST_MS));
  return ROUNDS_IN_FIRST_HOUR + Math.floor(ageMs / HOUR_MS);
}
