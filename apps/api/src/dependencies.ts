import { createCatalog } from '@holdfast/shared/catalog';
import { createCatalogHost, settleHost } from '@holdfast/shared/catalog-host';
import type { Environment, Settings } from '@holdfast/foundation/config';
import { openServer } from '@holdfast/shared/durability';
import { createIntents } from '@holdfast/shared/intents';
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
import { findingsOfStart } from './status/findings.js';
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
  const { settings, keys, connect, main: background, server, barrier } = opened;
  // Fails within 0.6 s, for what a client waits for.
  const request = connect('request');
  const connections = [request, background, opened.ofBarrier] as const;
  const queues = connectMediaQueues(settings.redis, settings.jobs, log, background);
  // If Redis was away a moment ago, the wait for it is already over.
  if (opened.examined !== null)
    await Promise.all(connections.map((client) => isReadyWithin(client, READY_WITHIN_MS)));
  await server.findings();
  const parts = {
    settings,
    log,
    keys,
    host,
    queues,
    barrier,
    /** Those of requests (first), of the background and of the barrier. */
    connections,
    catalog: createCatalog(request, keys),
    catalogHost: createCatalogHost(request, keys),
    intents: createIntents(request, keys),
    syncState: createSyncState(request, keys),
    shutdown: createShutdown(),
  };
  const { catalog, shutdown } = parts;
  // Without Redis a worker does it, before it brings anything in.
  await settleHost(parts).catch((error: unknown) => log.warn('host.not_settled', { error }));
  const rebuilding = watchRebuilding(parts.syncState, catalog, watchNewCatalog(host, log));
  await rebuilding.begin(shutdown.draining);
  const uploads = createUploads({
    ...parts,
    uploads: settings.uploads,
    folder: settings.host.folder,
    claims: createClaims(request, keys),
    rebuilding,
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
  return {
    ...parts,
    metrics: createApiMetrics(registry),
    redis: { request, background },
    deletionNotes: createDeletionNotes(host, settings, log),
    redisStates: createRedisStates({ ...opened, connections, catalog, queues }),
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
