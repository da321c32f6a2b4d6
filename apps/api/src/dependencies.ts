import { createCatalog, type Catalog } from '@holdfast/shared/catalog';
import type { Settings } from '@holdfast/shared/config';
import { createBarrier, type Barrier } from '@holdfast/shared/durability';
import {
  createIntents,
  createRefusedAssets,
  type Intents,
  type RefusedAssets,
} from '@holdfast/shared/intents';
import { connectMediaQueues, type MediaQueues } from '@holdfast/shared/jobs';
import type { Logger } from '@holdfast/shared/logging';
import { createMediaHost, type MediaHost } from '@holdfast/shared/media-host';
import {
  closeRedis,
  connectRedis,
  isReadyWithin,
  redisKeys,
  type RedisClient,
  type RedisKeys,
} from '@holdfast/shared/redis';
import { createSyncState, type SyncState } from '@holdfast/shared/sync';
import { createPublicAddress, type PublicAddress } from './http/public-address.js';
import { createShutdown, type Shutdown } from './http/shutdown.js';
import { createServerWatch, type ServerWatch } from './status/server-watch.js';
import { createUploadSlots, type UploadSlots } from './status/upload-slots.js';

/** Everything that handlers stand on. Each takes only what it needs of it. */
export interface Dependencies {
  settings: Settings;
  log: Logger;
  keys: RedisKeys;
  /** `request` fails within half a second, for what a client waits for; `background` is another connection. */
  redis: { request: RedisClient; background: RedisClient };
  catalog: Catalog;
  intents: Intents;
  refusedAssets: RefusedAssets;
  queues: MediaQueues;
  host: MediaHost;
  barrier: Barrier;
  syncState: SyncState;
  serverWatch: ServerWatch;
  uploadSlots: UploadSlots;
  shutdown: Shutdown;
  address: PublicAddress;
  /** Ends every connection. No call may follow. */
  close(): Promise<void>;
}

/** Redis that is there answers within this time; one that is not is waited for in the background. */
const READY_WITHIN_MS = 1_000;

/** Builds the real things: the one list of what this process opens. Rejects when the media host cannot be used. */
export async function openDependencies(settings: Settings, log: Logger): Promise<Dependencies> {
  const host = await createMediaHost(settings.host, { uploadSlots: settings.uploads.maxConcurrent, log });
  const keys = redisKeys(settings.redis.prefix);
  const { connection } = settings.redis;
  const request = connectRedis(connection, 'request', log);
  const background = connectRedis(connection, 'background', log);
  const barrierConnection = connectRedis(connection, 'barrier', log);
  const queues = connectMediaQueues(settings.redis, settings.jobs, log);
  const serverWatch = createServerWatch({ redis: background, settings, log });
  const clients = [request, background, barrierConnection];
  await Promise.all(clients.map((client) => isReadyWithin(client, READY_WITHIN_MS)));
  return {
    settings,
    log,
    keys,
    redis: { request, background },
    catalog: createCatalog(request, keys),
    intents: createIntents(request, keys),
    refusedAssets: createRefusedAssets(request, keys),
    queues,
    host,
    barrier: createBarrier({
      redis: barrierConnection,
      keys,
      settings: settings.durability,
      believesFsync: () => serverWatch.believesFsync(),
    }),
    syncState: createSyncState(request, keys),
    serverWatch,
    uploadSlots: createUploadSlots(settings.uploads.maxConcurrent),
    shutdown: createShutdown(),
    address: createPublicAddress(settings.http),
    close: async () => {
      await serverWatch.close();
      await queues.close();
      await Promise.all(clients.map(closeRedis));
      await host.close();
    },
  };
}
