import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAssetLog } from './assets/asset-log.js';
import { createAssetStore } from './assets/asset-store.js';
import { seedAssets } from './assets/seed-assets.js';
import type { BlobStore } from './blobs/blob-store.js';
import { diskBlobs } from './blobs/disk-blobs.js';
import { discardBlobs } from './blobs/discard-blobs.js';
import { memoryBlobs } from './blobs/memory-blobs.js';
import { controlParts } from './control/control-parts.js';
import type { EmulatorControl } from './control/emulator-control.js';
import { faultPlan } from './faults/fault-plan.js';
import { requestHandler } from './http/handle-request.js';
import type { Parts } from './parts.js';
import { rateLimit } from './rate-limit.js';
import { requestLog } from './request-log.js';
import { searchIndex } from './search/search-index.js';
import { defaultSettings, type Account, type Settings } from './settings.js';
import { chunkedUploads } from './upload-api/chunked-uploads.js';
import { webhooks } from './webhooks/webhooks.js';

/** How to start an emulator; every setting has a default. */
export interface EmulatorOptions extends Partial<Omit<Settings, 'maxBytes'>> {
  /** 0 (default) takes a free one. */
  port?: number;
  cloudName?: string;
  apiKey?: string;
  apiSecret?: string;
  /** Where stored bytes rest. Default memory, or disk when a directory is given. */
  bytes?: 'memory' | 'disk' | 'discard';
  /** With it everything survives a restart of the emulator on the same directory. */
  directory?: string;
  maxBytes?: Partial<Settings['maxBytes']>;
  now?: () => number;
}

/** A running emulator. */
export interface CloudinaryEmulator extends EmulatorControl {
  /** Closes all connections, gives up pending notifications, removes a temporary directory. */
  close(): Promise<void>;
}

/** Starts an emulator of Cloudinary's HTTP API on the loopback address. */
export async function startCloudinaryEmulator(options: EmulatorOptions = {}): Promise<CloudinaryEmulator> {
  const {
    port,
    cloudName,
    apiKey,
    apiSecret,
    bytes,
    directory,
    maxBytes,
    now: clock = Date.now,
    ...given
  } = options;
  const settings: Settings = {
    ...defaultSettings,
    ...given,
    maxBytes: { ...defaultSettings.maxBytes, ...maxBytes },
  };
  const account: Account = {
    cloudName: cloudName ?? 'emulated-cloud',
    apiKey: apiKey ?? '000000000000001',
    apiSecret: apiSecret ?? 'not-a-real-secret',
    url: '',
  };
  const temporary =
    bytes === 'disk' && directory === undefined ? mkdtempSync(join(tmpdir(), 'cloudinary-emulator-')) : null;
  const folder = directory ?? temporary;
  const now = () => clock() + settings.clockOffsetMs;
  // The SDK reuses idle connections and does not repeat a call on a stale one.
  const server = createServer({ keepAliveTimeout: 120_000, requestTimeout: 0, maxHeaderSize: 64 * 1024 });

  const assets = createAssetStore();
  const blobs = openBlobs(folder, bytes);
  const log = directory === undefined ? null : openAssetLog(directory, assets);
  const parts: Parts = {
    account,
    settings,
    now,
    assets,
    blobs,
    search: searchIndex(assets, settings, now),
    chunks: chunkedUploads(blobs),
    webhooks: webhooks(account, settings, now),
    faults: faultPlan(),
    limit: rateLimit(settings, now),
    requests: requestLog(server),
    seed(seed) {
      seedAssets(seed, assets);
      log?.seeded(seed);
    },
  };
  const control = controlParts(parts);
  server.on('request', requestHandler(parts, control));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port ?? 0, '127.0.0.1', () => resolve());
  });
  account.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return Object.assign(Object.create(null) as object, control, {
    url: control.url,
    cloudinaryUrl: control.cloudinaryUrl,
    async close() {
      parts.webhooks.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      log?.close();
      if (temporary !== null) await rm(temporary, { recursive: true, force: true });
    },
  });
}

function openBlobs(folder: string | null, mode: EmulatorOptions['bytes']): BlobStore {
  if (mode === 'discard') return discardBlobs();
  return folder === null ? memoryBlobs() : diskBlobs(folder);
}
