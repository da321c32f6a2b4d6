import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  startCloudinaryEmulator,
  type CloudinaryEmulator,
  type EmulatorOptions,
} from '@holdfast/cloudinary-emulator';
import { createCatalog } from '@holdfast/shared/catalog';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { createBarrier } from '@holdfast/shared/durability';
import { connectMediaQueues, syncJob, type SyncPayload } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import {
  newMediaId,
  publicIdFor,
  recordFromAsset,
  writeHostMetadata,
  type CommitMark,
  type MediaRecord,
} from '@holdfast/shared/media';
import {
  createMediaHost,
  type HostAsset,
  type MediaHost,
  type MediaHostOptions,
} from '@holdfast/shared/media-host';
import {
  closeRedis,
  connectRedis,
  isReadyWithin,
  redisKeys,
  type RedisClient,
  type RedisRole,
} from '@holdfast/shared/redis';
import { createDeletionNotes } from '@holdfast/shared/snapshot';
import { createSyncState, type SyncRun } from '@holdfast/shared/sync';
import { aRecord, onePixelPng, type RedisSandbox } from '@holdfast/shared/testing';
import { syncDependencies, type SyncOptions } from '../../src/sync-run/sync-session.js';
import { createSyncHandler } from '../../src/sync/run-sync.js';
import { createReadBack } from '../../src/verify/verify-records.js';

const never = new AbortController().signal;

export type HostKind = 'local' | 'cloudinary';

/** Hands one job to a worker; rejects as its handler does. */
export type RunJob = (
  payload?: Partial<SyncPayload>,
  signal?: AbortSignal,
  attempt?: number,
) => Promise<void>;

export interface SyncRigOptions {
  env?: Environment;
  emulator?: EmulatorOptions;
  timeouts?: MediaHostOptions['timeouts'];
  /** Nobody has looked at the host since the catalog began. Else somebody has, long ago. */
  emptied?: boolean;
  /** Wraps the host that the worker sees, for what no host does by itself. */
  seenBy?: (host: MediaHost) => MediaHost;
}

/** What a fleet needs for a sync, on a Redis without a record; closed when the test ends. */
export async function openSyncRig(sandbox: RedisSandbox, kind: HostKind, options: SyncRigOptions = {}) {
  await sandbox.client.flushall();
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-sync-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  let emulator: CloudinaryEmulator | undefined;
  if (kind === 'cloudinary') {
    emulator = await startCloudinaryEmulator(options.emulator);
    onTestFinished(() => emulator?.close());
  }
  const settings = readSettings({
    REDIS_URL: sandbox.url,
    DATA_DIR: directory,
    SAVE_ATTEMPTS: '2',
    SAVE_BACKOFF_MS: '10',
    CATALOG_SNAPSHOT: 'false',
    ...(emulator === undefined ? {} : { CLOUDINARY_URL: emulator.cloudinaryUrl }),
    ...options.env,
  });
  const host = await createMediaHost(settings.host, {
    log: silentLogger,
    ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
  });
  onTestFinished(() => host.close());
  const keys = redisKeys(settings.redis.prefix);
  const connect = async (role: RedisRole): Promise<RedisClient> => {
    const client = connectRedis(settings.redis.connection, role, silentLogger);
    onTestFinished(() => closeRedis(client));
    await isReadyWithin(client, 5_000);
    return client;
  };
  const redis = await connect('background');
  if (options.emptied !== true) await redis.hset(keys.syncState, 'lastFullAt', new Date(0).toISOString());
  const queues = connectMediaQueues(settings.redis, settings.jobs, silentLogger);
  onTestFinished(() => queues.close());
  await queues.queues.save.waitUntilReady();
  await queues.queues.sync.waitUntilReady();
  const catalog = createCatalog(redis, keys);
  const state = createSyncState(redis, keys);
  const folder = settings.host.folder;

  const deletionNotes = createDeletionNotes(host, settings, silentLogger);

  const parts: SyncOptions = {
    deletionNotes,
    settings,
    redis,
    keys,
    host: options.seenBy?.(host) ?? host,
    readBack: createReadBack(await connect('readback'), keys, false),
    barrier: createBarrier(await connect('barrier'), keys, settings.durability.replicas, () => true),
    server: { judged: () => Promise.resolve() },
    queues,
  };

  /** One more worker of the fleet, as far as syncs go. */
  const worker = (over: Partial<SyncOptions> = {}): RunJob => {
    const handler = createSyncHandler(syncDependencies({ ...parts, ...over }));
    return (payload = {}, signal = never, attempt = 1) =>
      handler(syncJob.parse({ trigger: 'manual', ...payload }), { signal, attempt, log: silentLogger });
  };
  const runSync = worker();

  return {
    emulator,
    settings,
    /** What a worker of this fleet is made of. */
    parts,
    host,
    deletionNotes,
    redis,
    keys,
    catalog,
    state,
    queues,
    worker,
    /** Runs a sync to its end and tells how it went. */
    sync: async (payload: Partial<SyncPayload> = {}): Promise<SyncRun> => {
      const runId = newMediaId();
      await runSync({ mode: 'full', ...payload, runId });
      const run = await state.findRun(runId);
      if (run === null) throw new Error('the run left no trace');
      return run;
    },
    /** An asset of ours, as an upload leaves it on the host; the catalog does not know it. */
    upload: async (over: Partial<MediaRecord> = {}, mark: CommitMark = { state: 'committed' }) => {
      const id = over.id ?? newMediaId();
      const record = aRecord({
        id,
        checksum: {
          sha256: createHash('sha256').update(onePixelPng).digest('hex'),
          md5: createHash('md5').update(onePixelPng).digest('hex'),
        },
        ...over,
      });
      return put(record.resourceType, publicIdFor(folder, id), writeHostMetadata({ mark, fields: record }));
    },
    /** The same bytes under the same name once more, as from a backup. */
    putBack: (asset: HostAsset) => put(asset.resourceType, asset.publicId, asset),
    /** An asset that others put on the host. */
    foreign: (publicId: string, context: Record<string, string> = {}, tags: string[] = []) =>
      put('image', publicId, { context, tags }),
    records: async (): Promise<MediaRecord[]> => (await catalog.list({ limit: 100, order: 'oldest' })).items,
    recordOf: (asset: HostAsset): MediaRecord => recordFromAsset(asset, folder, 'sync'),
    find: async (asset: HostAsset): Promise<MediaRecord | null> =>
      catalog.find(recordFromAsset(asset, folder, 'sync').id),
  };

  async function put(
    resourceType: MediaRecord['resourceType'],
    publicId: string,
    metadata: { context: Readonly<Record<string, string>>; tags: readonly string[] },
  ): Promise<HostAsset> {
    const { asset } = await host.put({
      ref: { publicId, resourceType },
      metadata,
      body: onePixelPng,
      signal: never,
    });
    return asset;
  }
}

export type SyncRig = Awaited<ReturnType<typeof openSyncRig>>;

/** A record without what is measured again. */
export function lasting(record: MediaRecord | null): unknown {
  if (record === null) return null;
  const { status, persistence, lastError, ...rest } = record;
  void [status, persistence, lastError];
  return rest;
}
