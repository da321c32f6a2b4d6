import { workerTimings, type QueueName } from '@holdfast/shared/jobs';

/**
 * How often a job may be started, whatever came of it: a job that kills its worker is given up at some time. A sync is
 * started again and again while it waits for the one before it or for the host, which says nothing against it.
 */
export const startLimit: Record<QueueName, number> = {
  save: workerTimings.maxStartedAttempts,
  verify: workerTimings.maxStartedAttempts,
  sync: Infinity,
};
