import { z } from 'zod';
import { durabilityLevels } from '@holdfast/shared/config';
import type { Finding } from '@holdfast/shared/durability';
import { errorCatalogue, type ErrorCode, type Problem } from '@holdfast/shared/errors';
import { queueNames, syncModes, syncTriggers, type QueueCounts, type QueueName } from '@holdfast/shared/jobs';
import { mediaRecord, mediaStatuses } from '@holdfast/shared/media';
import type { HostBudget } from '@holdfast/shared/media-host';
import type { SyncFinding, SyncProblem, SyncRun } from '@holdfast/shared/sync';
import type { PresentedMedia } from '../media/present-media.js';
import type { HostStatus } from '../status/host-status.js';
import type { StorageStatus } from '../status/storage-status.js';
import type { PersistenceTest } from '../status/test-persistence.js';

// `satisfies` lets no schema allow what the code does not answer; answers.test.ts compares each with real answers.
const time = z.iso.datetime();
const count = z.int().min(0);
const severity = z.enum(['error', 'warning', 'notice']);

const media = mediaRecord.omit({
  hostVersion: true,
  pushedRevision: true,
}) satisfies z.ZodType<PresentedMedia>;

const links = z.object({ self: z.string() });

const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(Object.keys(errorCatalogue) as ErrorCode[]),
  requestId: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
}) satisfies z.ZodType<Omit<Problem, 'errors'>>;

const finding = z.object({
  code: z.string(),
  severity,
  message: z.string(),
  fix: z.string(),
}) satisfies z.ZodType<Finding>;

const storage = z.object({
  type: z.enum(['Redis', 'Upstash Redis', 'Embedded Redis', 'Redis Cluster', 'Redis Sentinel']),
  hasKV: z.boolean(),
  connected: z.boolean(),
  connectionTest: z.string(),
  persistenceWarning: z.string(),
  findings: z.array(finding),
}) satisfies z.ZodType<StorageStatus>;

const hostFields = {
  type: z.enum(['cloudinary', 'local']),
  reachable: z.boolean().nullable(),
  lastSuccessAt: time.nullable(),
  lastFailureAt: time.nullable(),
  lastErrorCode: z.string().nullable(),
  circuit: z.enum(['closed', 'open', 'half-open']),
  freeBytes: z.number().nullable(),
};
const host = z.object(hostFields) satisfies z.ZodType<HostStatus>;

const queueCounts = z.object({
  waiting: count,
  active: count,
  delayed: count,
  failed: count,
}) satisfies z.ZodType<QueueCounts>;

const persistence = z.object({
  testPassed: z.boolean(),
  level: z.enum(durabilityLevels).nullable(),
  latencyMs: z.number(),
  message: z.string(),
}) satisfies z.ZodType<PersistenceTest>;

const syncProblem = z.object({
  code: z.string(),
  message: z.string(),
  at: time,
}) satisfies z.ZodType<SyncProblem>;

const syncFinding = z.object({
  code: z.enum([
    'MASS_MISSING',
    'HOST_CHANGED',
    'CONTENT_CHANGED',
    'CATALOG_REBUILDING',
    'SNAPSHOT_RESTORED',
    'SNAPSHOT_REFUSED',
    'MARK_LOST',
    'UNFINISHED_UPLOAD',
    'UNWELCOME_UPLOAD',
    'ASSETS_UNREADABLE',
    'LISTING_FIELDS_MISSING',
    'LISTING_SHORT',
  ]),
  severity,
  message: z.string(),
  fix: z.string(),
  count,
  ids: z.array(z.string()),
}) satisfies z.ZodType<SyncFinding>;

const driftItem = z.object({
  kind: z.enum(['host-only', 'catalog-only', 'different']),
  code: z.string(),
  id: z.string(),
  publicId: z.string(),
  assetId: z.string(),
  detail: z.string(),
  action: z.string(),
});

const driftFields = {
  items: z.array(driftItem),
  counts: z.object({ 'host-only': count, 'catalog-only': count, different: count }),
  cut: z.boolean(),
};

const syncRun = z.object({
  runId: z.string(),
  mode: z.enum(syncModes),
  trigger: z.enum(syncTriggers),
  startedAt: time,
  finishedAt: time.nullable(),
  durationMs: z.number().nullable(),
  result: z.enum(['ok', 'failed', 'partial']).nullable(),
  listed: count,
  created: count,
  updated: count,
  unchanged: count,
  missing: count,
  restored: count,
  removed: count,
  errors: count,
  hostCalls: count,
  findings: z.array(syncFinding),
  dryRun: z.boolean(),
  force: z.boolean(),
  drift: z.object(driftFields).optional(),
  lastError: syncProblem.nullable(),
  expected: z.number().nullable(),
  waitingUntil: time.nullable(),
}) satisfies z.ZodType<Omit<SyncRun, 'drift'>>;

const rateLimit = z.object({
  limit: z.number(),
  remaining: z.number(),
  resetAt: z.string(),
}) satisfies z.ZodType<Omit<HostBudget, 'heardAt'>>;

/** Every body that is answered, by the name that the document gives it. */
export const schemas = {
  Problem: problem,
  Media: media,
  MediaAnswer: z.object({ media, links }),
  DuplicateAnswer: z.object({ media, links, duplicate: z.literal(true) }),
  MediaPage: z.object({
    items: z.array(media),
    nextCursor: z.string().nullable(),
    total: count.nullable(),
    rebuilding: z.literal(true).optional(),
  }),
  Finding: finding,
  Storage: storage,
  Host: host,
  DatabaseStatus: z.object({
    storage,
    mediaCount: count.nullable(),
    byStatus: z.partialRecord(z.enum(mediaStatuses), count),
    host: z.object({ ...hostFields, place: z.string() }),
  }),
  Health: z.object({
    status: z.enum(['healthy', 'degraded', 'unhealthy']),
    measuredAt: time,
    persistence,
    storage,
    queues: z.object({
      available: z.boolean(),
      workers: count.nullable(),
      ...(Object.fromEntries(queueNames.map((name) => [name, queueCounts.optional()])) as Record<
        QueueName,
        z.ZodOptional<typeof queueCounts>
      >),
    }),
    host,
  }),
  SyncRun: syncRun,
  SyncAccepted: z.object({ runId: z.string(), mode: z.enum(syncModes), alreadyRunning: z.boolean() }),
  SyncStatus: z.object({
    enabled: z.boolean(),
    intervalMinutes: z.number(),
    running: syncRun.nullable(),
    lastRun: syncRun.nullable(),
    lastFullRun: syncRun.nullable(),
    nextRunAt: time.nullable(),
    recentErrors: z.array(syncProblem.extend({ runId: z.string() })),
    rateLimit: rateLimit.nullable(),
    snapshot: z.object({ at: time, records: count, bytes: count }).nullable(),
  }),
  DriftItem: driftItem,
  DriftPage: z.object({
    runId: z.string().nullable(),
    ...driftFields,
    nextCursor: z.string().nullable(),
  }),
  Ticket: z.object({
    id: z.string(),
    url: z.string(),
    fields: z.record(z.string(), z.string()),
    expiresAt: time,
  }),
  NotificationReceived: z.object({ received: z.literal(true), assets: count }),
  OpenApi: z.looseObject({ openapi: z.string() }),
  Alive: z.object({ status: z.literal('ok') }),
  Ready: z.object({ status: z.literal('ready') }),
  NotReady: z.object({ status: z.literal('not ready'), code: z.string(), detail: z.string() }),
} as const;

export type SchemaName = keyof typeof schemas;
