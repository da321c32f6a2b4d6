import { z } from 'zod';
import { durabilityLevels } from '@holdfast/foundation/config';
import { errorCatalogue, type ErrorCode, type Problem } from '@holdfast/foundation/errors';
import { syncModes } from '@holdfast/shared/jobs';
import { mediaRecord, mediaStatuses } from '@holdfast/shared/media';
import { drift, driftItem, syncProblem, syncRun } from '@holdfast/shared/sync';
import type { PresentedMedia } from '../media/present-media.js';

// answers.test.ts compares the schemas with real answers; `satisfies` keeps them from allowing what the code never answers.
// A description says what the name of its field does not.
const time = z.iso.datetime();
const count = z.int().min(0);
const severity = z.enum(['error', 'warning', 'notice']);

const ofFields: Readonly<Partial<Record<keyof PresentedMedia, string>>> = {
  id: 'A time-ordered ULID; for assets found on the host `cld-` and the asset id.',
  status:
    '`saving` until it is verified. `deferred`: accepted while the catalog was unreachable. `failed`: all attempts failed; the file is safe on the host. `missing`: the host no longer has the file. `deleting`: until the host confirms the removal.',
  publicId: 'Name of the asset on the host.',
  assetId: 'Id of the asset on the host; it survives a rename.',
  resourceType: "Cloudinary's kind of file; audio counts as video.",
  durationSeconds: 'Of audio and video, if known.',
  url: 'Address of the file.',
  checksum: 'Of the uploaded bytes. `sha256` is null if they never passed through Holdfast.',
  uploadedBy: 'Name of the API key.',
  source: 'How the record first came into the catalog.',
  updatedAt: 'Changes only with `revision`.',
  revision: 'Grows by one with each edit.',
  persistence:
    'The durability that the Redis server confirmed when the record was verified, and how many attempts that took.',
  lastError: 'The last failed attempt; null after a success.',
};
const stored = mediaRecord.omit({ hostVersion: true, pushedRevision: true });
const described = Object.entries(ofFields).map(([name, description]) => [
  name,
  stored.shape[name as keyof PresentedMedia].describe(description),
]);
const media = stored.extend(
  Object.fromEntries(described),
) as typeof stored satisfies z.ZodType<PresentedMedia>;

const links = z.object({ self: z.string() });

const problem = z.object({
  type: z.string().describe('A URN that ends with the code.'),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe('For people: what is wrong with this request.'),
  code: z.enum(Object.keys(errorCatalogue) as ErrorCode[]).describe('Stable; programs should rely on it.'),
  requestId: z.string(),
  errors: z
    .array(z.object({ path: z.string(), message: z.string() }))
    .optional()
    .describe('What is wrong with single fields.'),
}) satisfies z.ZodType<Omit<Problem, 'errors'>>;

const finding = z.object({ code: z.string(), severity, message: z.string(), fix: z.string() });

const storage = z.object({
  type: z.enum(['Redis', 'Upstash Redis', 'Embedded Redis', 'Redis Cluster', 'Redis Sentinel']),
  hasKV: z.boolean().describe('Whether an external Redis is configured.'),
  connected: z.boolean(),
  connectionTest: z.string().describe('`passed`, or `failed: ` and the reason.'),
  persistenceWarning: z.string().describe('Empty if records survive a restart of the server.'),
  findings: z.array(finding),
});

const hostFields = {
  type: z.enum(['cloudinary', 'local']),
  reachable: z.boolean().nullable().describe('As the last call showed; null before the first.'),
  lastSuccessAt: time.nullable(),
  lastFailureAt: time.nullable(),
  lastErrorCode: z.string().nullable(),
  circuit: z
    .enum(['closed', 'open'])
    .describe('`open`: the host does not answer, so uploads are refused at once.'),
  freeBytes: z
    .number()
    .nullable()
    .describe('Free space for the local host, 0 if it has hardly any inodes left; null on Cloudinary.'),
};
const host = z.object(hostFields);

const queueCounts = z.object({ waiting: count, active: count, delayed: count, failed: count }).optional();

const persistence = z.object({
  testPassed: z.boolean(),
  level: z.enum(durabilityLevels).nullable(),
  latencyMs: z.number(),
  message: z.string(),
});

/** Every body that is answered, by its name in the document. */
export const schemas = {
  Problem: problem,
  Media: media,
  MediaAnswer: z.object({ media, links }),
  DuplicateAnswer: z.object({ media, links, duplicate: z.literal(true) }),
  MediaPage: z.object({
    items: z.array(media),
    nextCursor: z.string().nullable().describe('Null on the last page.'),
    total: count.nullable().describe('Of all pages; null where counting is not cheap.'),
    rebuilding: z
      .literal(true)
      .optional()
      .describe('Present while an emptied catalog is being refilled: more items will follow.'),
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
      save: queueCounts,
      verify: queueCounts,
      sync: queueCounts,
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
    rateLimit: z.object({ limit: z.number(), remaining: z.number(), resetAt: z.string() }).nullable(),
    snapshot: z.object({ at: time, records: count, bytes: count }).nullable(),
  }),
  DriftItem: driftItem,
  DriftPage: z.object({
    runId: z.string().nullable().describe('Null before the first full run.'),
    ...drift.shape,
    nextCursor: z.string().nullable(),
  }),
  Ticket: z.object({
    id: z.string(),
    url: z.string(),
    fields: z.record(z.string(), z.string()).describe('To post together with the file, unchanged.'),
    expiresAt: time,
  }),
  NotificationReceived: z.object({ received: z.literal(true), assets: count }),
  OpenApi: z.looseObject({ openapi: z.string() }),
  Alive: z.object({ status: z.literal('ok') }),
  Ready: z.object({ status: z.literal('ready') }),
  NotReady: z.object({ status: z.literal('not ready'), code: z.string(), detail: z.string() }),
} as const;
