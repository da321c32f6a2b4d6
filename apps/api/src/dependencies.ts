import { createCatalog } from '@holdfast/shared/catalog';
import { createCatalogHost, settleHost } from '@holdfast/shared/catalog-host';
import { unreadSettings, type Environment, type Settings } from '@holdfast/foundation/config';
import {
  connectionFindings,
  ephemeralDiskFindings,
  openServer,
  type Finding,
} from '@holdfast/shared/durability';
import { createIntents, createRefusedAssets } from '@holdfast/shared/intents';
import { createClaims } from '@holdfast/shared/idempotency';
import { connectMediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/foundation/logging';
import { createMediaHost } from '@holdfast/shared/media-host';
import { observeHostCalls, createMetricsRegistry } from '@holdfast/shared/metrics';
import { closeRedis, isReadyWithin, redisBackoff } from '@holdfast/shared/redis';
import { createDeletionNotes } from '@holdfast/shared/snapshot';
import { createSyncState } from '@holdfast/shared/sync';
import { createPublicAddress } from './http/http-server.js';
import { createShares } from '@holdfast/shared/http';
import { createShutdown } from './http/shutdown.js';
import { createRedisStates } from './status/redis-state.js';
import { unreadSettingFindings } from './status/findings.js';
import { createUploads } from './uploads/uploads.js';
import { createApiMetrics } from './metrics/api-metrics.js';
import { watchNewCatalog, watchRebuilding } from './media/rebuilding.js';
import { createStatusFollowers } from './media/status-followers.js';

/** Everything that handlers depend on. Each takes only what it needs. */
export type Dependencies = Awaited<ReturnType<typeof openDependencies>>;

/** Redis that is there answers within this time; one that is not is waited for in the background. */
const READY_WITHIN_MS = 1_000;
const EVENT_STREAMS = 1_000;
const WAITS = 512;

/** Builds the real things: the one list of what this process opens. Rejects when the media host or the Redis server cannot be used. */
export async function openDependencies(given: Settings, log: Logger, env: Environment) {
  const registry = createMetricsRegistry();
  const host = await createMediaHost(given.host, { log, observer: observeHostCalls(registry) });
  // Jobs are added over the main connection, which takes no longer than two seconds: clients wait for that, too.
  const opened = await openServer(given, 'producer', log);
  const { settings, examined, profile, keys, connect, main: background, server, barrier } = opened;
  // Fails within 0.6 s, for what a client waits for.
  const request = connect('request');
  const connections = [request, background, opened.ofBarrier] as const;
  const queues = connectMediaQueues(settings.redis, settings.jobs, log, background);
  // If Redis was away a moment ago, the wait for it is already over.
  if (examined !== null)
    await Promise.all(connections.map((client) => isReadyWithin(client, READY_WITHIN_MS)));
  await server.findings();
  const catalog = createCatalog(request, keys);
  const syncState = createSyncState(request, keys);
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
  const shutdown = createShutdown();
  const rebuilding = watchRebuilding({ syncState, catalog, isNew: watchNewCatalog(host, log) });
  await rebuilding.begin(shutdown.draining);
  const intents = createIntents(request, keys);
  const refusedAssets = createRefusedAssets(request, keys);
  const uploads = createUploads({
    uploads: settings.uploads,
    folder: settings.host.folder,
    host,
    catalog,
    claims: createClaims(request, keys),
    rebuilding,
    intents,
    refusedAssets,
    queues,
    shutdown,
    log,
    newBackoff: () => redisBackoff(request),
  });
  const { deferred } = uploads;
  const statusFollowers = createStatusFollowers({
    catalog,
    deferred,
    connect: () => connect('events'),
    keys,
    log,
    rests: redisBackoff(request),
  });
  const deletionNotes = createDeletionNotes(host, settings, log);
  return {
    settings,
    log,
    metrics: createApiMetrics(registry),
    keys,
    redis: { request, background },
    /** Those of requests (first), of the background and of the barrier. */
    connections,
    catalog,
    intents,
    refusedAssets,
    queues,
    host,
    deletionNotes,
    barrier,
    syncState,
    catalogHost,
    redisStates: createRedisStates({
      settings: settings.redis,
      connections,
      keys,
      profile,
      catalog,
      queues,
      barrier,
      server,
    }),
    startFindings: await findingsOfStart(settings, env, log),
    rebuilding,
    statusFollowers,
    /** Event streams that are open. */
    streams: createShares(EVENT_STREAMS),
    /** Requests that wait for a result, as `Prefer: wait` asks for. */
    waits: createShares(WAITS),
    uploads,
    uploadSlots: uploads.slots,
    /** Uploads acknowledged while Redis was away. */
    deferred,
    shutdown,
    address: createPublicAddress(settings.http),
    /** Ends every connection. No call may follow. */
    close: async (): Promise<void> => {
      deferred.stop();
      await statusFollowers.close();
      server.close();
      await queues.close();
      await Promise.all(connections.map(closeRedis));
      await host.close();
    },
  };
}

/** Findings about connection, disk and settings, which stay until the next start; logged once. */
async function findingsOfStart(settings: Settings, env: Environment, log: Logger): Promise<Finding[]> {
  const ofDisk = await ephemeralDiskFindings(settings, env);
  for (const finding of ofDisk) log.warn('disk.finding', { finding });
  const unread = unreadSettings(env);
  for (const setting of unread) log.warn('config.unread_setting', { setting });
  return [...connectionFindings(settings.redis), ...ofDisk, ...unreadSettingFindings(unread)];
}
