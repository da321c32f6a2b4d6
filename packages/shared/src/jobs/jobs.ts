import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import type { JobSettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { mediaRecord, resourceTypes } from '../media/index.js';

/** One BullMQ worker of each process serves each of these. */
export const queueNames = ['save', 'verify', 'sync'] as const;
/** The name of a queue, which its Redis keys carry: none may be renamed while jobs wait in it. */
export type QueueName = (typeof queueNames)[number];

/** Everything that the side that adds a job and the side that runs it must agree on. */
export interface JobDefinition<Name extends string, Payload> {
  name: Name;
  queue: QueueName;
  /** Parses the payload on arrival; throws INVALID_REQUEST for an invalid payload. */
  parse(data: unknown): Payload;
  /** Adding the same id again does nothing while a job with it is kept, so the id names the work, revision included. */
  idFor(payload: Payload): string;
  /** Where they differ from `jobOptions`. */
  options?: JobsOptions;
}

function defineJob<Name extends string, Schema extends z.ZodType>({
  payload,
  ...definition
}: Omit<JobDefinition<Name, z.infer<Schema>>, 'parse'> & { payload: Schema }) {
  const parse = (data: unknown): z.infer<Schema> => {
    const parsed = payload.safeParse(data);
    if (parsed.success) return parsed.data;
    throw new HoldfastError('INVALID_REQUEST', `the payload of a ${definition.name} job is not valid`, {
      errors: parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
    });
  };
  return { ...definition, parse };
}

/** `round` tells repeats by the sweep from the first try: BullMQ ignores an id that it still keeps. */
const round = z.number().int().min(0).default(0);
const suffix = (n: number): string => (n === 0 ? '' : `-r${String(n)}`);

const DAY_SECONDS = 24 * 3_600;
/** Of jobs that a sweep adds again, under fresh ids, until their work is done: one that failed is soon of no interest. */
const sweptOptions: JobsOptions = { removeOnFail: { age: DAY_SECONDS } };

/** Writes the record into the catalog. Carries the record, so that nothing is lost when Redis forgot the rest. */
export const saveJob = defineJob({
  name: 'save',
  queue: 'save',
  payload: z.object({ record: mediaRecord, round }),
  idFor: ({ record, round: n }) => `save-${record.id}-${String(record.revision)}${suffix(n)}`,
});

/** Reads the record back over another connection, compares it, and obtains the durability level. */
export const verifyJob = defineJob({
  name: 'verify',
  queue: 'verify',
  payload: z.object({ record: mediaRecord, round }),
  idFor: ({ record, round: n }) => `verify-${record.id}-${String(record.revision)}${suffix(n)}`,
});

/** Writes what was edited here to the asset on the host. Reads the record when it runs: the newest revision counts. */
export const pushJob = defineJob({
  name: 'push',
  queue: 'save',
  payload: z.object({ id: z.string(), revision: z.number().int().min(1), round }),
  idFor: ({ id, revision, round: n }) => `push-${id}-${String(revision)}${suffix(n)}`,
  options: sweptOptions,
});

/** Removes the asset of a deleted file from the host, then the record. Its tombstone is already there. */
export const removeJob = defineJob({
  name: 'remove',
  queue: 'save',
  payload: z.object({ id: z.string(), publicId: z.string(), resourceType: z.enum(resourceTypes), round }),
  idFor: ({ id, round: n }) => `remove-${id}${suffix(n)}`,
  options: sweptOptions,
});

/** Assets that one job looks at; longer notifications become several jobs. */
export const REFRESH_AT_ONCE = 50;

const changedAsset = z.object({
  publicId: z.string(),
  resourceType: z.enum(resourceTypes),
  /** Null where the notification does not tell. */
  assetId: z.string().nullable(),
  version: z.number().nullable(),
});

/**
 * Looks at assets that the host says have changed, and brings their records in step. A notification is a hint: what the
 * host answers when the job runs decides, so order and repeats do not matter.
 */
export const refreshJob = defineJob({
  name: 'refresh',
  queue: 'save',
  payload: z.object({
    /** Names the notification. */
    notification: z.string(),
    part: z.number().int().min(0),
    change: z.enum(['uploaded', 'changed', 'deleted']),
    /** Milliseconds since the epoch. */
    receivedAt: z.number(),
    assets: z.array(changedAsset).min(1).max(REFRESH_AT_ONCE),
  }),
  idFor: ({ notification, part }) => `refresh-${notification}-${String(part)}`,
});

/** One part of a notification: up to `REFRESH_AT_ONCE` assets, all with the same change. */
export type RefreshPayload = ReturnType<typeof refreshJob.parse>;

/** Id of the recurring sync in its queue. */
export const SYNC_SCHEDULE = 'auto-sync';

/**
 * What asked for a run. startup: a worker began, or another Redis server serves; upload: media were verified;
 * manual: a person; recovery: the catalog was found empty, or is new (whatever asked for the first run); webhook: no run, a
 * look after a notification.
 */
export const syncTriggers = ['startup', 'schedule', 'upload', 'manual', 'webhook', 'recovery'] as const;
/** Kept in the history of runs, so none may be renamed. */
export type SyncTrigger = (typeof syncTriggers)[number];

/** full: every asset of the host; incremental: what changed there since an earlier run. */
export const syncModes = ['incremental', 'full'] as const;
/** An incremental run concludes nothing from what it does not meet. */
export type SyncMode = (typeof syncModes)[number];

/**
 * Brings the catalog in step with the host. Without a mode the run decides: full when the last full one is too old.
 * Without a runId (schedules repeat one payload) the run takes a fresh one.
 */
export const syncJob = defineJob({
  name: 'sync',
  queue: 'sync',
  payload: z.object({
    trigger: z.enum(syncTriggers),
    mode: z.enum(syncModes).optional(),
    runId: z.string().optional(),
    dryRun: z.boolean().default(false),
    force: z.boolean().default(false),
  }),
  idFor: ({ trigger, runId }) => `sync-${runId ?? trigger}`,
});

/** A requested run, with `dryRun` and `force` filled in. */
export type SyncPayload = ReturnType<typeof syncJob.parse>;

/** All jobs there are. The worker has a handler for each, or it does not compile. */
export const jobs = {
  save: saveJob,
  verify: verifyJob,
  push: pushJob,
  remove: removeJob,
  refresh: refreshJob,
  sync: syncJob,
} as const;

/** The name of a job that this version knows; `isJobName` checks what comes from Redis. */
export type JobName = keyof typeof jobs;
/** What the handler of such a job is given: its data as checked on arrival, with the defaults filled in. */
export type JobPayload<Name extends JobName> = ReturnType<(typeof jobs)[Name]['parse']>;

/** False for jobs that a newer version, or somebody else, has added. */
export function isJobName(name: string): name is JobName {
  return Object.hasOwn(jobs, name);
}

/** Thrown by a handler to be tried later, through no fault of the job: the attempt is not counted. Any other error is one attempt. */
export class HandBack extends Error {
  override readonly name = 'HandBack';
  readonly delayMs: number;

  constructor(reason: string, delayMs = 0, cause?: unknown) {
    super(reason, { cause });
    this.delayMs = delayMs;
  }
}

/** The options of every job, besides its id: its attempts, and what is kept of it. Built here and nowhere else. */
export const jobOptions = ({ attempts, backoffMs }: JobSettings): JobsOptions => ({
  attempts,
  backoff: { type: 'exponential', delay: backoffMs, jitter: 0.5 },
  removeOnComplete: { count: 1_000 },
  // Jobs that failed for good wait for the operator.
  removeOnFail: { age: 30 * DAY_SECONDS },
});

/** The event stream of a queue is only read by open browsers; the default of 10,000 entries costs megabytes. */
export const streamOptions = { streams: { events: { maxLen: 100 } } } as const;
