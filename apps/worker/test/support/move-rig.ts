import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { createCatalog } from '@holdfast/shared/catalog';
import { createCatalogHost } from '@holdfast/shared/catalog-host';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { createIntents, type Intents } from '@holdfast/shared/intents';
import { syncJob } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import {
  newMediaId,
  publicIdFor,
  recordFromAsset,
  writeHostMetadata,
  type CommitMark,
  type HostMetadata,
  type MediaRecord,
} from '@holdfast/shared/media';
import { createMediaHost, type MediaHost } from '@holdfast/shared/media-host';
import { redisKeys } from '@holdfast/shared/redis';
import type { SyncRun } from '@holdfast/shared/sync';
import { aRecord, onePixelPng, proofOf, type RedisSandbox } from '@holdfast/shared/testing';
import { move } from '../../src/commands/move.js';
import { beginMove, moveAll } from '../../src/commands/move-files.js';
import { withLease } from '../../src/commands/catalog-commands.js';
import type { LeasedWork } from '../../src/sync-run/sync-session.js';
import { openDependencies } from '../../src/dependencies.js';
import { createSyncHandler } from '../../src/sync/run-sync.js';

const never = new AbortController().signal;

export interface Place {
  env: Environment;
  host: MediaHost;
}

/** Both hosts of a move, over one Redis and one data folder. */
export async function twoHosts(sandbox: RedisSandbox) {
  await sandbox.client.flushall();
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-move-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const emulator = await startCloudinaryEmulator();
  onTestFinished(() => emulator.close());
  const base = { REDIS_URL: sandbox.url, DATA_DIR: dataDir, SAVE_BACKOFF_MS: '10', LOG_LEVEL: 'silent' };
  const place = async (env: Environment): Promise<Place> => {
    const host = await createMediaHost(readSettings(env).host, { log: silentLogger });
    onTestFinished(() => host.close());
    return { env, host };
  };
  const local = await place({ ...base, MOVE_FROM_CLOUDINARY_URL: emulator.cloudinaryUrl });
  const cloud = await place({ ...base, CLOUDINARY_URL: emulator.cloudinaryUrl });
  const keys = redisKeys('holdfast');
  // A full sync ended long ago.
  await sandbox.client.hset(keys.syncState, 'lastFullAt', new Date(0).toISOString());
  return {
    emulator,
    dataDir,
    local,
    cloud,
    keys,
    catalog: createCatalog(sandbox.client, keys),
    catalogHost: createCatalogHost(sandbox.client, keys),
    intents: createIntents(sandbox.client, keys) as Pick<Intents, 'accept'>,
  };
}

export type Hosts = Awaited<ReturnType<typeof twoHosts>>;

export const digest = (name: 'md5' | 'sha256', bytes: Buffer): string =>
  createHash(name).update(bytes).digest('hex');

/** A file as an upload leaves it on the host and in the catalog, with bytes that no other file has. */
export async function upload(
  { catalog }: Hosts,
  { host }: Place,
  over: Partial<MediaRecord> = {},
  bytes = png(),
) {
  const id = over.id ?? newMediaId();
  const record = aRecord({
    id,
    bytes: bytes.length,
    title: `title of ${id}`,
    checksum: { sha256: digest('sha256', bytes), md5: digest('md5', bytes) },
    ...over,
  });
  const asset = await put(host, record.resourceType, publicIdFor('holdfast', id), marked(record), bytes);
  const saved = recordFromAsset(asset, 'holdfast', 'upload');
  await catalog.save(saved);
  await catalog.markVerified('fsynced', new Date(), [proofOf(saved)]);
  return saved;
}

export const marked = (record: MediaRecord, mark: CommitMark = { state: 'committed' }): HostMetadata =>
  writeHostMetadata({ mark, fields: record });

export async function put(
  host: MediaHost,
  resourceType: MediaRecord['resourceType'],
  publicId: string,
  metadata: HostMetadata,
  body: Buffer,
) {
  return (await host.put({ ref: { publicId, resourceType }, metadata, body, signal: never })).asset;
}

/** An image that no other test has. */
export const png = (): Buffer => Buffer.concat([onePixelPng, randomBytes(8)]);

/** What a move must not change. */
export function kept(record: MediaRecord | null): unknown {
  if (record === null) return null;
  const { id, checksum, filename, title, description, category, tags, uploadedBy, source } = record;
  const { createdAt, updatedAt, revision, bytes, format } = record;
  const fields = { id, checksum, filename, title, description, category, tags, uploadedBy, source };
  return { ...fields, createdAt, updatedAt, revision, bytes, format };
}

/** A sync by a worker of these settings. */
async function syncOn({ env }: Place) {
  const deps = await openDependencies(readSettings(env), silentLogger);
  onTestFinished(() => deps.close());
  const handler = createSyncHandler(deps.sync);
  return async (payload: { force?: boolean } = {}): Promise<SyncRun> => {
    const runId = newMediaId();
    const context = { signal: never, attempt: 1, log: silentLogger };
    await handler(syncJob.parse({ trigger: 'manual', mode: 'full', ...payload, runId }), context);
    const run = await deps.sync.state.findRun(runId);
    if (run === null) throw new Error('the run left no trace');
    return run;
  };
}

type Over = Pick<LeasedWork, 'host' | 'catalog'>;

/** A move on a host or a catalog that does more than they would. */
export async function moveWith(
  { source, target }: { source: Place; target: Place },
  over: (leased: LeasedWork) => Partial<Over>,
): Promise<void> {
  await withLease(target.env, never, async (leased) => {
    const deps = { ...leased, ...over(leased) };
    await moveAll(beginMove(deps, source.host, false));
  });
}

/** `work` runs for each media after its copy was made and before its record is saved. */
export const moveBeside = (hosts: { source: Place; target: Place }, work: (id: string) => Promise<void>) =>
  moveWith(hosts, ({ host }) => ({
    host: {
      ...host,
      annotate: async (ref, metadata, signal) => {
        await work(metadata.context['hf_id'] ?? '');
        return host.annotate(ref, metadata, signal);
      },
    },
  }));

export const all = async ({ catalog }: Hosts): Promise<MediaRecord[]> =>
  (await catalog.list({ limit: 100, order: 'oldest' })).items;

export async function bytesOn({ host }: Place, record: MediaRecord): Promise<string> {
  const asset = await host.find(record);
  if (asset === null) throw new Error(`${record.publicId} is not there`);
  const hash = createHash('md5');
  for await (const chunk of await host.open(asset, AbortSignal.timeout(5_000))) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** What lies in the folder of the local host. */
export async function filesOf({ dataDir }: Hosts): Promise<string[]> {
  return (await readdir(join(dataDir, 'media'), { recursive: true })).filter((name) =>
    /[0-9a-f]{32}[.]/.test(name),
  );
}

export const isThere = ({ host }: Place, url: string): boolean =>
  url.startsWith('/media/') === (host.kind === 'local');

/** A move from one of the two to the other; the catalog belongs to the one it moves from. */
export async function openMove(sandbox: RedisSandbox, from: 'local' | 'cloudinary') {
  const hosts = await twoHosts(sandbox);
  const [source, target] = from === 'local' ? [hosts.local, hosts.cloud] : [hosts.cloud, hosts.local];
  await hosts.catalogHost.set(source.host.identity);
  const run = (over: Record<string, boolean> = {}, signal: AbortSignal = never) =>
    move.run(target.env, { from, ...over }, signal);
  const damage = async (record: MediaRecord): Promise<void> => {
    if (from === 'cloudinary') await hosts.emulator.assets.corrupt(record.assetId);
    else {
      const files = await filesOf(hosts);
      const name = files.find((file) => file.includes(record.assetId) && !file.endsWith('.json')) ?? '';
      await writeFile(join(hosts.dataDir, 'media', name), randomBytes(record.bytes));
    }
  };
  return { ...hosts, source, target, run, damage, sync: await syncOn(target) };
}
