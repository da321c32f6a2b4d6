import type { Finding } from '@holdfast/shared/durability';
import { queueNames, type MediaQueues } from '@holdfast/shared/jobs';

/** Which queues an operator has paused: nothing else pauses them, and nothing resumes them by itself. */
export async function pausedQueues({ queues }: Pick<MediaQueues, 'queues'>): Promise<Finding[]> {
  // Sent together: one round trip.
  const paused = await Promise.all(queueNames.map((name) => queues[name].isPaused()));
  const names = queueNames.filter((_, index) => paused[index] === true);
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
