import { Queue, type JobsOptions } from 'bullmq';
import type { JobSettings, RedisSettings } from '@holdfast/foundation/config';
import type { Logger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '../media/index.js';
import {
  closeRedis,
  connectRedis,
  profileOf,
  redisEdge,
  redisKeys,
  type RedisClient,
} from '../redis/index.js';
import type { UploadJobs } from './jobs-in-scripts.js';
import {
  jobOptions,
  queueNames,
  saveJob,
  streamOptions,
  verifyJob,
  type JobDefinition,
  type QueueName,
} from './jobs.js';

/** How many jobs of one queue are in each state now. */
export interface QueueCounts {
  /** Those with a priority included. */
  waiting: number;
  active: number;
  /** Not to start yet: put off when they were added, between two tries, or handed back. */
  delayed: number;
  /** For good; kept for the operator. */
  failed: number;
}

/** What both apps use to add jobs. Every function throws QUEUE_UNAVAILABLE, at once, when Redis cannot serve. */
export interface MediaQueues {
  /** save and verify of one record, for the script that accepts an upload and adds them in the same step. */
  jobsOf(record: MediaRecord): UploadJobs;
  /**
   * The same two jobs for a record that is in the catalog already. `round` above 0 adds them under fresh ids.
   */
  enqueueUpload(record: MediaRecord, round?: number): Promise<void>;
  add<Payload>(
    definition: JobDefinition<string, Payload>,
    payload: Payload,
    over?: JobsOptions,
  ): Promise<void>;
  /** The BullMQ queues themselves, for Bull Board and schedules. */
  queues: Record<QueueName, Queue>;
  close(): Promise<void>;
}

/** Over a connection that its owner closes; without one it opens its own, which `close` ends. */
export function connectMediaQueues(
  redis: RedisSettings,
  settings: JobSettings,
  log: Logger,
  shared?: RedisClient,
): MediaQueues {
  const client = shared ?? connectRedis(redis.connection, 'producer', log, profileOf(redis));
  const { prefix } = redisKeys(redis.prefix);
  // Without the version check, too: BullMQ would ask at once, before the connection is there, and keep the failure for ever.
  const options = {
    connection: client,
    prefix,
    skipWaitingForReady: true,
    skipVersionCheck: true,
    ...streamOptions,
  } as const;
  const onError = (error: Error): void => log.debug('queue.error', { error });
  const queueOf = (name: QueueName): Queue => new Queue(name, options).on('error', onError);
  const queues: Record<QueueName, Queue> = {
    save: queueOf('save'),
    verify: queueOf('verify'),
    sync: queueOf('sync'),
  };

  const edge = redisEdge('QUEUE_UNAVAILABLE');
  const add: MediaQueues['add'] = (definition, payload, over = {}) =>
    edge(async () => {
      const { queue, name } = definition;
      await queues[queue].add(name, payload, jobOptions(definition, payload, settings, over));
    });

  return {
    queues,
    jobsOf: (record) => {
      const payload = { record, round: 0 };
      const { jobId: saveId = '', ...rest } = jobOptions(saveJob, payload, settings);
      return {
        saveId,
        verifyId: verifyJob.idFor(payload),
        data: JSON.stringify(payload),
        options: JSON.stringify(rest),
      };
    },
    enqueueUpload: async (record, round = 0) => {
      await Promise.all([add(saveJob, { record, round }), add(verifyJob, { record, round })]);
    },
    add,
    close: async () => {
      await Promise.allSettled(queueNames.map((name) => queues[name].close()));
      if (shared === undefined) await closeRedis(client);
    },
  };
}
