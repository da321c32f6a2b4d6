import type { Settings } from '@holdfast/foundation/config';
import { openServer } from '@holdfast/shared/durability';
import { createIntents } from '@holdfast/shared/intents';
import { connectMediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/foundation/logging';
import { createMediaHost } from '@holdfast/shared/media-host';
import { createMetricsRegistry, observeHostCalls } from '@holdfast/shared/metrics';
import { closeRedis } from '@holdfast/shared/redis';
import { createDeletionNotes } from '@holdfast/shared/snapshot';
import { syncDependencies } from './sync-run/sync-session.js';
import { createSyncRequests } from './sync/sync-requests.js';
import { createDeliveryCheck } from './verify/delivery-check.js';
import { createReadBack } from './verify/verify-records.js';

/** Everything that the worker's parts depend on. */
export type Dependencies = Awaited<ReturnType<typeof openDependencies>>;

/**
 * The one list of what is opened, and of what is closed. Rejects when the media host or the Redis server cannot be used.
 */
export async function openDependencies(given: Settings, log: Logger) {
  const registry = createMetricsRegistry();
  const host = await createMediaHost(given.host, { log, observer: observeHostCalls(registry) });
  const opened = await openServer(given, 'background', log);
  const { settings, examined, profile, keys, connect, main: background, server, barrier } = opened;
  const queueClient = connect('queue');
  const readBackClient = connect('readback');
  const connections = [opened.ofBarrier, readBackClient, background, queueClient];
  const queues = connectMediaQueues(settings.redis, settings.jobs, log, background);
  const readBack = createReadBack(readBackClient, keys, settings.durability.replicas > 0);
  const deletionNotes = createDeletionNotes(host, settings, log);
  const sync = syncDependencies({
    settings,
    redis: background,
    keys,
    host,
    deletionNotes,
    readBack,
    barrier,
    server,
    queues,
  });
  return {
    settings,
    registry,
    /** What differs for this kind of Redis. */
    profile,
    /** Whether it was seen at the start to sync every write to disk. */
    syncsEachWrite: examined?.facts.fsyncPolicy === 'always',
    keys,
    /** BullMQ's connection. */
    queueClient,
    /** For everything that writes: catalog, intents, syncs, the watch and whatever adds jobs. */
    background,
    /** All of this process, except those that BullMQ adds to `queueClient`. */
    connections,
    catalog: sync.catalog,
    intents: createIntents(background, keys),
    queues,
    host,
    deletionNotes,
    server,
    barrier,
    readBack,
    delivery: createDeliveryCheck(background, keys, settings.host, log),
    syncRequests: createSyncRequests(queues, settings.sync, profile, log),
    /** For syncs, and for everything that follows their rules. */
    sync,
    log,
    close: async (): Promise<void> => {
      server.close();
      await queues.close();
      await Promise.all(connections.map(closeRedis));
      await host.close();
    },
  };
}
