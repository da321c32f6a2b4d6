import type { Registry } from 'prom-client';
import type { Settings } from '@holdfast/foundation/config';
import {
  connectionFindings,
  createBarrier,
  examineServer,
  createServerMonitor,
  type MonitorOptions,
} from '@holdfast/shared/durability';
import { createIntents } from '@holdfast/shared/intents';
import { connectMediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/foundation/logging';
import { createMediaHost } from '@holdfast/shared/media-host';
import { countConfirmations, countHostCalls } from '@holdfast/shared/metrics';
import {
  closeRedis,
  connectRedis,
  profileOf,
  redisKeys,
  type RedisClient,
  type RedisRole,
} from '@holdfast/shared/redis';
import { createDeletionNotes } from '@holdfast/shared/snapshot';
import { syncDependencies } from './sync-run/sync-dependencies.js';
import { createSyncRequests } from './sync/sync-requests.js';
import { createDeliveryCheck } from './verify/delivery-check.js';
import { createReadBack } from './verify/read-back.js';

/** Everything that the worker's parts are made of. */
export type Dependencies = Awaited<ReturnType<typeof openDependencies>>;

/** A judgement is renewed only when one is needed. */
const JUDGEMENT_FRESH_MS = 60_000;

export interface Observers {
  onFacts: NonNullable<MonitorOptions['onFacts']>;
  registry: Registry;
}

/**
 * The one list of what is opened, and of what is closed. Rejects when the media host or the Redis server cannot be used.
 */
export async function openDependencies(given: Settings, log: Logger, { onFacts, registry }: Observers) {
  // Before any other connection is there.
  const { redis, examined } = await examineServer(given.redis, log);
  const settings: Settings = { ...given, redis };
  const profile = profileOf(redis);
  const host = countHostCalls(
    await createMediaHost(settings.host, { uploadSlots: settings.jobs.concurrency, log }),
    registry,
  );
  const { connection, prefix } = settings.redis;
  for (const finding of connectionFindings(settings.redis)) log.warn('redis.finding', { finding });
  const keys = redisKeys(prefix);
  const connect = (role: RedisRole): RedisClient => connectRedis(connection, role, log, profile);
  const queueClient = connect('queue');
  const background = connect('background');
  const readBackClient = connect('readback');
  const barrierClient = connect('barrier');
  const connections = [barrierClient, readBackClient, background, queueClient];
  const queues = connectMediaQueues(settings.redis, settings.jobs, log, background);
  const server = createServerMonitor({
    redis: background,
    settings,
    examined,
    freshMs: Math.max(JUDGEMENT_FRESH_MS, profile.factsFreshMs),
    onFacts,
    log,
  });
  const barrier = countConfirmations(
    createBarrier({
      redis: barrierClient,
      keys,
      settings: settings.durability,
      believesFsync: () => server.believesFsync(),
    }),
    registry,
  );
  const readBack = createReadBack(readBackClient, keys, settings.durability.replicas > 0);
  const deletionNotes = createDeletionNotes(
    { host, redis: background, keys },
    { folder: settings.host.folder, snapshots: settings.sync.snapshots },
    log,
  );
  const sync = syncDependencies({
    settings,
    redis: background,
    keys,
    host,
    deletionNotes,
    readBack,
    barrier,
    serverJudged: () => server.judged(),
    queues,
  });
  return {
    settings,
    /** What differs for this kind of Redis. */
    profile,
    keys,
    /** BullMQ's connection. */
    queueClient,
    /** For everything that writes: catalog, intents, syncs, the watch and whatever adds jobs. */
    background,
    /** All of this process, except those that BullMQ adds to `queueClient`. */
    connections,
    catalog: sync.catalog,
    intents: createIntents(background, keys),
    refused: sync.refused,
    queues,
    host,
    deletionNotes,
    server,
    barrier,
    readBack,
    delivery: createDeliveryCheck({ redis: background, keys, host: settings.host, log }),
    syncRequests: createSyncRequests(queues, settings.sync, profile, log),
    /** For syncs, and for everything that follows their rules. */
    sync,
    log,
    close: async (): Promise<void> => {
      await deletionNotes.close();
      await server.close();
      await queues.close();
      await Promise.all(connections.map(closeRedis));
      await host.close();
    },
  };
}
