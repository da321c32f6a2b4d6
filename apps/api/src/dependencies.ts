import { createCatalog, type Catalog } from '@holdfast/shared/catalog';
import { createCatalogHost, settleHost, type CatalogHost } from '@holdfast/shared/catalog-host';
import { unreadSettings, type Environment, type Settings } from '@holdfast/foundation/config';
import {
  connectionFindings,
  createBarrier,
  createRedisOutage,
  createServerCheck,
  ephemeralDiskFinding,
  examineServer,
  type Barrier,
  type Finding,
  type RedisOutage,
  createServerJudgement,
  type ServerJudgement,
} from '@holdfast/shared/durability';
import {
  createIntents,
  createRefusedAssets,
  type Intents,
  type RefusedAssets,
} from '@holdfast/shared/intents';
import { createClaims } from '@holdfast/shared/idempotency';
import { connectMediaQueues, type MediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/foundation/logging';
import { createMediaHost, type MediaHost } from '@holdfast/shared/media-host';
import { countConfirmations, countHostCalls, createMetricsRegistry } from '@holdfast/shared/metrics';
import {
  closeRedis,
  connectRedis,
  isReadyWithin,
  profileOf,
  redisBackoff,
  redisKeys,
  type RedisClient,
  type RedisKeys,
  type RedisProfile,
} from '@holdfast/shared/redis';
import { createDeletionNotes, type DeletionNotes } from '@holdfast/shared/snapshot';
import { createSyncState, type SyncState } from '@holdfast/shared/sync';
import { createPublicAddress, type PublicAddress } from './http/http-server.js';
import { createReadTurns, type ReadTurns } from './http/read-turns.js';
import { createShares, type Shares } from '@holdfast/shared/http';
import { createShutdown, type Shutdown } from './http/shutdown.js';
import { createRecentResults, type RecentResults } from './status/recent-results.js';
import { createWorkerCount, type WorkerCount } from './status/redis-look.js';
import { unreadSettingFindings } from './status/current-findings.js';
import { createRefusedSignatures, type RefusedSignatures } from './webhooks/refused-signatures.js';
import { createIdSecret } from './uploads/id-secret.js';
import { createUploadSlots, type UploadSlots } from './uploads/admission.js';
import { createUploads, type Uploads } from './uploads/uploads.js';
import { createApiMetrics, type ApiMetrics } from './metrics/api-metrics.js';
import { createRecordChanges } from './media/record-changes.js';
import { watchNewCatalog, watchRebuilding, type Rebuilding } from './media/rebuilding.js';
import { createStatusFollowers, type StatusFollowers } from './media/status-followers.js';

/** Everything that handlers stand on. Each takes only what it needs of it. */
export interface Dependencies {
  settings: Settings;
  /** What differs for this kind of Redis. */
  profile: RedisProfile;
  log: Logger;
  metrics: ApiMetrics;
  keys: RedisKeys;
  /** `request` fails within 0.6 s, for what a client waits for; `background` is another connection. */
  redis: { request: RedisClient; background: RedisClient };
  /** These two, that of requests first, and that of the barrier. */
  connections: readonly RedisClient[];
  catalog: Catalog;
  intents: Intents;
  refusedAssets: RefusedAssets;
  queues: MediaQueues;
  host: MediaHost;
  deletionNotes: DeletionNotes;
  barrier: Barrier;
  syncState: SyncState;
  catalogHost: CatalogHost;
  server: ServerJudgement;
  redisOutage: RedisOutage;
  workerCount: WorkerCount;
  recentResults: RecentResults;
  /** What was found at the start, of the disk and of the settings. */
  startFindings: readonly Finding[];
  refusedSignatures: RefusedSignatures;
  rebuilding: Rebuilding;
  statusFollowers: StatusFollowers;
  readTurns: ReadTurns;
  /** Event streams that are open. */
  streams: Shares;
  /** Requests that wait for a result, as `Prefer: wait` asks for. */
  waits: Shares;
  uploads: Uploads;
  uploadSlots: UploadSlots;
  /** Uploads acknowledged while Redis was away. */
  deferred: Uploads['deferred'];
  shutdown: Shutdown;
  address: PublicAddress;
  /** Ends every connection. No call may follow. */
  close(): Promise<void>;
}

/** Redis that is there answers within this time; one that is not is waited for in the background. */
const READY_WITHIN_MS = 1_000;

/** Short, since status answers claim to be measured. */
const SERVER_FRESH_MS = 2_000;

const EVENT_STREAMS = 1_000;
/** Each asks Redis once a second. */
const WAITS = 512;

/** Builds the real things: the one list of what this process opens. Rejects when the media host or the Redis server cannot be used. */
export async function openDependencies(
  given: Settings,
  log: Logger,
  env: Environment,
): Promise<Dependencies> {
  // Before any other connection is there.
  const examination = await examineServer(given.redis, log);
  const { redis, examined } = examination;
  const settings: Settings = { ...given, redis };
  const profile = profileOf(redis);
  const registry = createMetricsRegistry();
  const host = countHostCalls(
    await createMediaHost(settings.host, { uploadSlots: settings.uploads.maxConcurrent, log }),
    registry,
  );
  const keys = redisKeys(settings.redis.prefix);
  const { connection } = settings.redis;
  const request = connectRedis(connection, 'request', log, profile);
  // Jobs are added over it, which takes no longer than two seconds: clients wait for that, too.
  const background = connectRedis(connection, 'producer', log, profile);
  const barrierConnection = connectRedis(connection, 'barrier', log);
  const queues = connectMediaQueues(settings.redis, settings.jobs, log, background);
  const check = createServerCheck({ examination, durability: settings.durability, log });
  const clients = [request, background, barrierConnection];
  const recentResults = createRecentResults(profile, clients);
  const onJudged = (): void => recentResults.forget();
  const server = createServerJudgement({
    redis: background,
    settings,
    freshMs: SERVER_FRESH_MS,
    profile,
    check,
    onJudged,
    log,
  });
  // Where Redis was away a moment ago it has been waited for already.
  if (examined !== null) await Promise.all(clients.map((client) => isReadyWithin(client, READY_WITHIN_MS)));
  await server.findings();
  const diskFinding = await ephemeralDiskFinding(settings, env);
  if (diskFinding !== null) log.warn('disk.finding', { finding: diskFinding });
  const unread = unreadSettings(env);
  for (const setting of unread) log.warn('config.unread_setting', { setting });
  const ofConnection = connectionFindings(settings.redis);
  for (const finding of ofConnection) log.warn('redis.finding', { finding });
  const startFindings = [
    ...ofConnection,
    ...(diskFinding === null ? [] : [diskFinding]),
    ...unreadSettingFindings(unread),
  ];
  const intents = createIntents(request, keys);
  const refusedAssets = createRefusedAssets(request, keys);
  const syncState = createSyncState(request, keys);
  const refusedSignatures = createRefusedSignatures(request, keys);
  const shutdown = createShutdown();
  const uploadSlots = createUploadSlots(settings.uploads.maxConcurrent);
  const catalog = createCatalog(request, keys);
  const catalogHost = createCatalogHost(request, keys);
  // Without Redis a worker does it, before it brings anything in.
  await settleHost({
    catalogHost,
    catalog,
    syncState,
    dataDir: settings.dataDir,
    identity: host.identity,
    log,
  }).catch((error: unknown) => log.warn('host.not_settled', { error }));
  const rebuilding = watchRebuilding({
    syncState,
    catalog,
    newCatalog: watchNewCatalog(host, log),
  });
  await rebuilding.begin(shutdown.draining);
  const uploads = createUploads({
    uploads: settings.uploads,
    folder: settings.host.folder,
    host,
    catalog,
    claims: createClaims(request, keys),
    rebuilding,
    idSecret: createIdSecret(settings.host, settings.dataDir),
    intents,
    isConnected: () => request.status === 'ready',
    refusedAssets,
    queues,
    slots: uploadSlots,
    shutdown,
    log,
    newBackoff: () => redisBackoff(request),
  });
  const recordChanges = createRecordChanges(
    () => connectRedis(connection, 'events', log, profile),
    keys,
    log,
  );
  const deletionNotes = createDeletionNotes(
    { host, redis: request, keys },
    { folder: settings.host.folder, snapshots: settings.sync.snapshots },
    log,
  );
  return {
    settings,
    profile,
    log,
    metrics: createApiMetrics(registry),
    keys,
    redis: { request, background },
    connections: clients,
    catalog,
    intents,
    refusedAssets,
    queues,
    host,
    deletionNotes,
    barrier: countConfirmations(
      createBarrier({
        redis: barrierConnection,
        keys,
        settings: settings.durability,
        believesFsync: () => server.believesFsync(),
      }),
      registry,
    ),
    syncState,
    catalogHost,
    server,
    redisOutage: createRedisOutage(settings.redis),
    workerCount: createWorkerCount({ settings, redis: { request }, queues }),
    recentResults,
    startFindings,
    refusedSignatures,
    rebuilding,
    statusFollowers: createStatusFollowers({
      catalog,
      changes: recordChanges,
      deferred: uploads.deferred,
      rests: redisBackoff(request),
    }),
    readTurns: createReadTurns(() => uploadSlots.running > 0),
    streams: createShares(EVENT_STREAMS),
    waits: createShares(WAITS),
    uploads,
    uploadSlots,
    deferred: uploads.deferred,
    shutdown,
    address: createPublicAddress(settings.http),
    close: async () => {
      uploads.stop();
      await recordChanges.close();
      await deletionNotes.close();
      refusedSignatures.close();
      await server.close();
      await queues.close();
      await Promise.all(clients.map(closeRedis));
      await host.close();
    },
  };
}
