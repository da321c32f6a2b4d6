import type { Finding } from '@holdfast/shared/durability';
import { queueNames } from '@holdfast/shared/jobs';
import type { RedisLook } from './redis-look.js';

type Queues = Pick<RedisLook, 'queues'>;

/** Which queues an operator has paused: nothing else pauses them, and nothing resumes them by itself. */
function pausedQueues({ queues }: Queues): Finding[] {
  const names = queueNames.filter((name) => queues[name].paused);
  if (names.length === 0) return [];
  return [
    {
      code: 'QUEUE_PAUSED',
      severity: 'warning',
      message: `Paused: ${names.join(', ')}. Jobs wait there until they are resumed.`,
      fix: 'Resume in Bull Board (/admin/queues), for each of these queues.',
    },
  ];
}

/** Which queues an operator lets run so many jobs in a time only: nothing else limits them, and nothing lifts it by itself. */
function limitedQueues({ queues }: Queues): Finding[] {
  const limited = queueNames.flatMap((name) => {
    const { limit } = queues[name];
    return limit === null ? [] : [`${name} (${String(limit.max)} jobs in ${String(limit.durationMs)} ms)`];
  });
  if (limited.length === 0) return [];
  return [
    {
      code: 'QUEUE_LIMITED',
      severity: 'warning',
      message: `Limited: ${limited.join(', ')}. Jobs beyond that wait.`,
      fix: 'Remove the rate limit in Bull Board (/admin/queues), for each of these queues, and release what it holds.',
    },
  ];
}

/** A worker's watch needs a minute to notice a lost wake-up, and as long to make dead connections anew. */
const TAKEN_WITHIN_MS = 150_000;

const notTaken: Finding = {
  code: 'SYNC_NOT_TAKEN',
  severity: 'warning',
  message: 'A sync should have begun minutes ago, and no worker takes it.',
  fix: 'Resume the queue "sync" in Bull Board where it is paused; else restart the workers, and report what they log.',
};

/**
 * A sync that is due for long while none runs: those of a fleet run one at a time. Only workers end a delay, so where none takes
 * the queue the next run of the schedule, or one after uploads, stays delayed past its time. A job that was handed back is due
 * when its new delay ends, however old it is.
 */
function syncNotTaken({ queues, syncDueAt }: Pick<RedisLook, 'queues' | 'syncDueAt'>): Finding[] {
  const isLate = syncDueAt !== null && syncDueAt < Date.now() - TAKEN_WITHIN_MS;
  return isLate && queues.sync.counts.active === 0 ? [notTaken] : [];
}

/** `workers`: how many are alive; without any, nobody wonders that a sync is not taken. */
export function queueFindings(look: RedisLook, workers: number | null): Finding[] {
  return [...(workers === 0 ? [] : syncNotTaken(look)), ...pausedQueues(look), ...limitedQueues(look)];
}
