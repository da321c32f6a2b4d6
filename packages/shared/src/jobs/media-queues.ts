import { FlowProducer, Queue, type JobsOptions } from 'bullmq';
import type { JobSettings, RedisSettings } from '../config/index.js';
import type { Logger } from '../logging/index.js';
import type { MediaRecord } from '../media/index.js';
import { closeRedis, connectRedis, fromRedisError, redisKeys } from '../redis/index.js';
import { queueNames, type JobDefinition, type QueueName } from './define-job.js';
import { jobOptions, streamOptions } from './job-options.js';
import { saveJob, verifyJob } from './media-jobs.js';
import { reloadScripts } from './reload-scripts.js';

export interface QueueCounts {
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
}

/** What both apps use to add jobs. Every function throws QUEUE_UNAVAILABLE, at once, when Redis cannot serve. */
export interface MediaQueues {
  /** save and verify of one record, in one atomic step. `round` above 0 adds them under fresh ids. */
  enqueueUpload(record: MediaRecord, round?: number): Promise<void>;
  add<Payload>(
    definition: JobDefinition<string, Payload>,
    payload: Payload,
    over?: JobsOptions,
  ): Promise<void>;
  counts(): Promise<Record<QueueName, QueueCounts>>;
  /** The BullMQ queues themselves, for Bull Board and schedules. */
  queues: Record<QueueName, Queue>;
  close(): Promise<void>;
}

/** Added to the round, so that ids never meet those of the sweep. */
const AFTER_LOST_SCRIPTS = 1_000;

/** Opens a connection of its own; `close` ends it. */
export function connectMediaQueues(redis: RedisSettings, settings: JobSettings, log: Logger): MediaQueues {
  const client = connectRedis(redis.connection, 'producer', log);
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
  const flows = new FlowProducer(options).on('error', onError);

  const node = <Payload>(definition: JobDefinition<string, Payload>, payload: Payload) => ({
    name: definition.name,
    queueName: definition.queue,
    data: payload,
    opts: jobOptions(definition, payload, settings),
  });

  return {
    queues,
    enqueueUpload: async (record, round = 0) => {
      const addFlow = async (n: number): Promise<void> => {
        await flows.add({
          ...node(verifyJob, { record, round: n }),
          children: [node(saveJob, { record, round: n })],
        });
      };
      try {
        await addFlow(round).catch(async (error: unknown) => {
          if (!isNoScript(error)) throw error;
          // One of the scripts may have been there and the other not, so half of the flow may be stored: the second try
          // takes ids of its own.
          log.warn('queue.scripts_lost');
          await reloadScripts(client);
          await addFlow(round + AFTER_LOST_SCRIPTS);
        });
      } catch (error) {
        throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
      }
    },
    add: async (definition, payload, over = {}) => {
      try {
        await queues[definition.queue].add(
          definition.name,
          payload,
          jobOptions(definition, payload, settings, over),
        );
      } catch (error) {
        throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
      }
    },
    counts: async () => {
      try {
        const entries = await Promise.all(
          queueNames.map(async (name) => {
            const counts = await queues[name].getJobCounts(
              'wait',
              'active',
              'delayed',
              'failed',
              'prioritized',
            );
            const waiting = (counts['wait'] ?? 0) + (counts['prioritized'] ?? 0);
            return [
              name,
              {
                waiting,
                active: counts['active'] ?? 0,
                delayed: counts['delayed'] ?? 0,
                failed: counts['failed'] ?? 0,
              },
            ];
          }),
        );
        return Object.fromEntries(entries) as Record<QueueName, QueueCounts>;
      } catch (error) {
        throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
      }
    },
    close: async () => {
      await Promise.allSettled([...queueNames.map((name) => queues[name].close()), flows.close()]);
      await closeRedis(client);
    },
  };
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && /NOSCRIPT/.test(error.message);
}
