import type { Finding } from '@holdfast/shared/durability';
import { queueNames, type MediaQueues } from '@holdfast/shared/jobs';

/** Which queues an operator lets run so many jobs in a time only: nothing else limits them, and nothing lifts it by itself. */
export async function limitedQueues({ queues }: Pick<MediaQueues, 'queues'>): Promise<Finding[]> {
  // Sent together: one round trip.
  const limits = await Promise.all(queueNames.map((name) => queues[name].getGlobalRateLimit()));
  const limited = queueNames.flatMap((name, index) => {
    const limit = limits[index] ?? null;
    return limit === null ? [] : [`${name} (${String(limit.max)} jobs in ${String(limit.duration)} ms)`];
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
