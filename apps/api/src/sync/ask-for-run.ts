import type { Job } from 'bullmq';
import { syncJob, type MediaQueues, type SyncMode, type SyncPayload } from '@holdfast/shared/jobs';
import { newMediaId } from '@holdfast/shared/media';
import { fromRedisError } from '@holdfast/shared/redis';
import type { SyncState } from '@holdfast/shared/sync';

/** What somebody wants a run to do. */
export interface WantedRun {
  mode: SyncMode;
  dryRun: boolean;
  force: boolean;
}

export interface AskDependencies {
  queues: Pick<MediaQueues, 'add' | 'queues'>;
  syncState: Pick<SyncState, 'findRun'>;
}

/** More never wait: of each kind one, and the schedule's. */
const LOOKED_AT = 100;

/**
 * Asks for runs on demand. However many ask for the same while it waits for its turn, it is one run: it begins after each
 * of them has asked. Answers its id, a ULID like those of media: ordered by time. Throws QUEUE_UNAVAILABLE.
 */
export function createAskForRun(deps: AskDependencies): (wanted: WantedRun) => Promise<string> {
  // One after the other, so that the second of two finds what the first has added.
  let before: Promise<unknown> = Promise.resolve();
  return (wanted) => {
    const asked = before.then(() => ask(deps, wanted));
    before = asked.catch(() => undefined);
    return asked;
  };
}

async function ask(deps: AskDependencies, wanted: WantedRun): Promise<string> {
  const waiting = await findWaiting(deps, wanted);
  if (waiting !== null) return waiting;
  const runId = newMediaId();
  await deps.queues.add(syncJob, { trigger: 'manual', runId, ...wanted });
  return runId;
}

/** A job that waits for another run to end counts as active or delayed; only its run tells whether it has begun. */
async function findWaiting(
  { queues, syncState }: AskDependencies,
  { mode, dryRun, force }: WantedRun,
): Promise<string | null> {
  for (const { runId, ...payload } of await readPayloads(queues.queues.sync)) {
    const isSame =
      payload.trigger === 'manual' &&
      payload.mode === mode &&
      payload.dryRun === dryRun &&
      payload.force === force;
    if (isSame && runId !== undefined && (await syncState.findRun(runId)) === null) return runId;
  }
  return null;
}

async function readPayloads(queue: AskDependencies['queues']['queues']['sync']): Promise<SyncPayload[]> {
  try {
    const jobs = await queue.getJobs(['wait', 'prioritized', 'delayed', 'active'], 0, LOOKED_AT - 1);
    // BullMQ's types hide it: a job may go between the look at the lists and the look at the job.
    return (jobs as (Job | undefined)[]).flatMap((job) =>
      job === undefined ? [] : (job.data as SyncPayload),
    );
  } catch (error) {
    throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
