import { Job, Queue, type JobsOptions } from 'bullmq';
import { Cluster } from 'ioredis';
import { createBatch } from '../batch/index.js';
import type { JobSettings, RedisSettings } from '@holdfast/foundation/config';
import type { Logger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '../media/index.js';
import {
  closeRedis,
  connectRedis,
  fromRedisError,
  profileOf,
  redisKeys,
  type RedisClient,
} from '../redis/index.js';
import { insertOf, type JobInsert } from './jobs-in-scripts.js';
import {
  jobOptions,
  queueNames,
  saveJob,
  streamOptions,
  verifyJob,
  type JobDefinition,
  type JobPayload,
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
  jobsOf(record: MediaRecord): Promise<JobInsert[]>;
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
  const profile = profileOf(redis);
  const client = shared ?? connectRedis(redis.connection, 'producer', log, profile);
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

  const entryOf = <Payload>(definition: JobDefinition<string, Payload>, payload: Payload) =>
    new Job(
      queues[definition.queue],
      definition.name,
      payload,
      jobOptions(definition, payload, settings),
      definition.idFor(payload),
    ).toFlowEntry();

  const entriesOf = (upload: JobPayload<'save'>) =>
    [entryOf(saveJob, upload), entryOf(verifyJob, upload)] as const;

  /** Each upload's failure, null where both of its jobs are stored. One transaction for all that wait together. */
  const addPairs = async (uploads: JobPayload<'save'>[]): Promise<(Error | null)[]> => {
    const entries = uploads.flatMap(entriesOf);
    // All childless roots. Each answers for itself, where FlowProducer.add tells of its first job only.
    const results = await queues.save.backend.addFlow(entries);
    return uploads.map((_, index) => {
      const [saved, verified] = results.slice(2 * index, 2 * index + 2);
      return failureOf(saved) ?? failureOf(verified);
    });
  };
  const enqueue = createBatch(
    async (uploads: JobPayload<'save'>[]): Promise<(Error | null)[]> => {
      try {
        const failures = await addPairs(uploads);
        if (!failures.some(isNoScript)) return failures;
        log.warn('queue.scripts_lost');
        await reloadScripts(client);
        // What is stored already is not added again.
        return await addPairs(uploads);
      } catch (error) {
        throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
      }
    },
    // The record goes into both jobs.
    { atMost: Math.ceil(profile.recordsAtOnce / 2) },
  );

  return {
    queues,
    enqueueUpload: async (record, round = 0) => {
      const failure = await enqueue({ record, round });
      if (failure !== null) throw fromRedisError(failure, 'QUEUE_UNAVAILABLE');
    },
    jobsOf: (record) => {
      const [save, verify] = entriesOf({ record, round: 0 });
      return Promise.all([insertOf(queues.save, save), insertOf(queues.verify, verify)]);
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
    close: async () => {
      await Promise.allSettled(queueNames.map((name) => queues[name].close()));
      if (shared === undefined) await closeRedis(client);
    },
  };
}

function failureOf(result: [Error | null, string | number] | undefined): Error | null {
  if (result === undefined) return new Error('no answer for a job');
  const [error, idOrCode] = result;
  return (
    error ?? (typeof idOrCode === 'number' && idOrCode < 0 ? new Error(`BullMQ ${String(idOrCode)}`) : null)
  );
}

function isNoScript(error: Error | null): boolean {
  return error !== null && error.message.includes('NOSCRIPT');
}

/**
 * Gives the server the scripts again that BullMQ has defined on this connection. ioredis believes per socket that they
 * are loaded and cannot repair that inside a transaction; a new socket would cost the commands in flight their answers.
 */
async function reloadScripts(client: RedisClient): Promise<void> {
  const texts = Object.values(client.scriptsSet as Record<string, { lua: string }>).map(({ lua }) => lua);
  const nodes = client instanceof Cluster ? client.nodes('master') : [client];
  await Promise.all(nodes.flatMap((node) => texts.map((text) => node.script('LOAD', text))));
}
