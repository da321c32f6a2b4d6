import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  startCloudinaryEmulator,
  type Asset,
  type CloudinaryEmulator,
  type EmulatorOptions,
} from '@holdfast/cloudinary-emulator';
import { newMediaId, readHostMetadata, type MediaRecord } from '@holdfast/shared/media';
import type { SyncRun } from '@holdfast/shared/sync';
import { onePixelPng, type RedisSandbox } from '@holdfast/shared/testing';
import { openActor, type Actor, type Answer } from './actor.js';
import { openGate, type Gate } from './gate.js';

/** A pair that another program keeps in the context of the asset. No operation of ours may lose it. */
export const OTHERS_PAIR = ['sku', 'x-1'] as const;

/** One deployment on a host and a catalog of its own: `a` acts through the gate, `b` past it. */
export interface World {
  sandbox: RedisSandbox;
  emulator: CloudinaryEmulator;
  gate: Gate;
  a: Actor;
  b: Actor;
  upload(actor: Actor, file: UploadedFile): Promise<Answer>;
  records(): Promise<MediaRecord[]>;
  /** Assets that are media, no matter who put them there. */
  assets(): Promise<Asset[]>;
  /** What the asset of this file says of itself; null where there is none. */
  assetOf(id: string): Promise<Asset | null>;
  /** Runs a full sync by `b` to its end. */
  sync(): Promise<SyncRun>;
  close(): Promise<void>;
}

export interface UploadedFile {
  content: Buffer;
  key: string;
  title: string;
}

/** Files that differ in their bytes. Above 256 kB the bytes and the commit mark go to the host in two calls. */
export function aFile(label: string, bytes: number): UploadedFile {
  const noise = createHash('sha256').update(label).digest();
  const padding = Buffer.alloc(Math.max(0, bytes - onePixelPng.length), noise);
  return { content: Buffer.concat([onePixelPng, padding]), key: `key-${label}`, title: 'first' };
}

export async function openWorld(sandbox: RedisSandbox, options: EmulatorOptions = {}): Promise<World> {
  await sandbox.client.flushall();
  const emulator = await startCloudinaryEmulator(options);
  const hostPort = Number(new URL(emulator.url).port);
  const gate = await openGate({ redis: sandbox.port, host: hostPort });
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-interleave-'));
  const env = {
    DATA_DIR: folder,
    REDIS_URL: sandbox.url,
    CLOUDINARY_URL: emulator.cloudinaryUrl,
    AUTO_SYNC_ON_STARTUP: 'false',
    SAVE_BACKOFF_MS: '10',
    LOG_LEVEL: 'silent',
  };
  const through = {
    ...env,
    REDIS_URL: `redis://127.0.0.1:${String(gate.links.redis.port)}`,
    CLOUDINARY_URL: emulator.cloudinaryUrl.replace(
      `:${String(hostPort)}`,
      `:${String(gate.links.host.port)}`,
    ),
  };
  await sandbox.client.set('{holdfast}:born', Date.now());
  const [a, b] = await Promise.all([openActor(through), openActor(env)]);
  const world: World = {
    sandbox,
    emulator,
    gate,
    a,
    b,
    upload: (actor, { content, key, title }) => {
      const form = new FormData();
      form.append('title', title);
      form.append('file', new Blob([new Uint8Array(content)]), 'a.png');
      const headers = { 'Idempotency-Key': key };
      return actor.call('POST', '/api/media/upload', { body: form, headers });
    },
    records: async () => (await b.deps.catalog.list({ limit: 100, order: 'oldest' })).items,
    assets: async () => (await emulator.assets.list()).filter(({ type }) => type === 'upload'),
    assetOf: async (id) => (await world.assets()).find((asset) => idOf(asset) === id) ?? null,
    sync: async () => {
      const runId = newMediaId();
      const told = await b.runJob('sync', {
        trigger: 'manual',
        mode: 'full',
        runId,
        dryRun: false,
        force: true,
      });
      const run = await b.deps.sync.state.findRun(runId);
      if (told !== 'done' || run === null) throw new Error(`the sync ended ${told}`);
      return run;
    },
    close: async () => {
      await Promise.all([a.close(), b.close()]);
      await gate.close();
      await emulator.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  // The first look at the host is the recovery of a new catalog: what follows is none.
  await world.sync();
  return world;
}

/** Of the record that an asset gets. */
export function idOf(asset: Pick<Asset, 'assetId' | 'context' | 'tags'>): string {
  return readHostMetadata(asset)?.fields.id ?? `cld-${asset.assetId}`;
}
