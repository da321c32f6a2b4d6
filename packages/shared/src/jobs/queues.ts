import { Queue, type JobsOptions } from 'bullmq';
import { addStandardJob } from 'bullmq/dist/cjs/scripts/addStandardJob-9.js';
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

/** The two jobs of an upload, for a script that adds them. */
export interface UploadJobs {
  saveId: string;
  verifyId: string;
  /** Payload of both, in JSON. */
  data: string;
  /** Those of BullMQ for both, in JSON, without the id. */
  options: string;
}

/**
 * What both apps use to add jobs. Every function throws QUEUE_UNAVAILABLE, at once, when Redis cannot serve. Over a connection that its owner closes; without one
 * it opens its own, which `close` ends.
 */
export function connectMediaQueues(
  redis: RedisSettings,
  settings: JobSettings,
  log: Logger,
  shared?: RedisClient,
) {
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

  const common = jobOptions(settings);
  const packed = JSON.stringify(common);
  const edge = redisEdge('QUEUE_UNAVAILABLE');
  const add = <Payload>(
    definition: JobDefinition<string, Payload>,
    payload: Payload,
    over: JobsOptions = {},
  ): Promise<void> =>
    edge(async () => {
      const { queue, name } = definition;
      await queues[queue].add(name, payload, {
        jobId: definition.idFor(payload),
        ...common,
        ...definition.options,
        ...over,
      });
    });

  return {
    /** The BullMQ queues themselves, for Bull Board and schedules. */
    queues,
    /** save and verify of one record, for the script that accepts an upload and adds them in the same step. */
    jobsOf: (record: MediaRecord): UploadJobs => {
      const payload = { record, round: 0 };
      const [saveId, verifyId] = [saveJob.idFor(payload), verifyJob.idFor(payload)];
      return { saveId, verifyId, data: JSON.stringify(payload), options: packed };
    },
    /** The same two jobs for a record that is in the catalog already. `round` above 0 adds them under fresh ids. */
    enqueueUpload: async (record: MediaRecord, round = 0): Promise<void> => {
      await Promise.all([add(saveJob, { record, round }), add(verifyJob, { record, round })]);
    },
    add,
    close: async (): Promise<void> => {
      await Promise.allSettled(queueNames.map((name) => queues[name].close()));
      if (shared === undefined) await closeRedis(client);
    },
  };
}

export type MediaQueues = ReturnType<typeof connectMediaQueues>;

/**
 * Lua for scripts with timePrelude that add the jobs of an upload: `add_jobs(save_id, verify_id, data, options)` answers whether both
 * were added; one that cannot be does not keep the other out. The script with which BullMQ adds a job that may start at once is used
 * unchanged, as a function, with keys and arguments in its own order.
 */
export const addJobsLua = /* lua */ `
local function add_standard_job(KEYS, ARGV)
${addStandardJob.content}
end

local function add_jobs(save_id, verify_id, data, options)
  local ids, decoded, now, all_added = { save = save_id, verify = verify_id }, cjson.decode(options), now_ms(), true
  for _, queue in ipairs({ 'save', 'verify' }) do
    local id = ids[queue]
    local q = p .. ':' .. queue .. ':'
    local keys = { q .. 'wait', q .. 'paused', q .. 'meta', q .. 'id', q .. 'completed', q .. 'delayed', q .. 'active', q .. 'events', q .. 'marker' }
    decoded.jobId = id
    local added = pcall(add_standard_job, keys, { cmsgpack.pack({ q, id, queue, now }), data, cmsgpack.pack(decoded) })
    all_added = all_added and added
  end
  return all_added
end
`;

/**
 * Lua for scripts that decide on new uploads: `backlog(p)` counts the jobs that wait or are delayed, `p` being the hash
 * tag before all keys. An upload has two.
 */
export const backlogScript = /* lua */ `
local function backlog(p)
  local jobs = 0
  for _, queue in ipairs({ 'save', 'verify' }) do
    jobs = jobs + redis.call('LLEN', p .. ':' .. queue .. ':wait') + redis.call('ZCARD', p .. ':' .. queue .. ':delayed')
  end
  return jobs
end
`;
