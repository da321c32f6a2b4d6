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
import { addJobsScript, argumentsOf, insertOf, type JobInsert } from './jobs-in-scripts.js';
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
  /**
   * save and verify of one record, in one atomic step. Neither waits for the other: the record must be in the catalog
   * already (docs/decisions/0006-acceptance-is-one-step.md). `round` above 0 adds them under fresh ids.
   */
  enqueueUpload(record: MediaRecord, round?: number): Promise<void>;
  /** The same two jobs, for the script that accepts an upload and adds them in the same step. Asks Redis nothing. */
  jobsOf(record: MediaRecord, round?: number): Promise<JobInsert[]>;
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
  const insert = <Payload>(
    definition: JobDefinition<string, Payload>,
    payload: Payload,
  ): Promise<JobInsert> =>
    insertOf(queues[definition.queue], definition.name, payload, jobOptions(definition, payload, settings));
  const jobsOf = (record: MediaRecord, round = 0): Promise<JobInsert[]> =>
    Promise.all([insert(saveJob, { record, round }), insert(verifyJob, { record, round })]);

  return {
    queues,
    jobsOf,
    enqueueUpload: async (record, round) => {
      const inserts = await jobsOf(record, round);
      await edge(() => addJobsScript(client, [prefix], inserts.flatMap(argumentsOf)));
    },
    add: (definition, payload, over = {}) =>
      edge(async () => {
        const { queue, name } = definition;
        await queues[queue].add(name, payload, jobOptions(definition, payload, settings, over));
      }),
    close: async () => {
      await Promise.allSettled(queueNames.map((name) => queues[name].close()));
      if (shared === undefined) await closeRedis(client);
    },
  };
}
