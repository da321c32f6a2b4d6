import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { expect, vi } from 'vitest';
import { createCatalog, type Catalog } from '@holdfast/shared/catalog';
import { readSettings, type Environment, type UploadSettings } from '@holdfast/foundation/config';
import { createClaims } from '@holdfast/shared/idempotency';
import { createIntents } from '@holdfast/shared/intents';
import { connectMediaQueues } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import { createMediaHost, type MediaHostOptions } from '@holdfast/shared/media-host';
import {
  closeRedis,
  connectRedis,
  isReadyWithin,
  profileOf,
  redisBackoff,
  redisKeys,
} from '@holdfast/shared/redis';
import { createSyncState } from '@holdfast/shared/sync';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { errorHandler } from '../../src/http/problems.js';
import { anonymous, requestContext } from '../../src/http/request-context.js';
import { createShares } from '@holdfast/shared/http';
import { createShutdown } from '../../src/http/shutdown.js';
import { createStatusFollowers } from '../../src/media/status-followers.js';
import { watchNewCatalog, watchRebuilding } from '../../src/media/rebuilding.js';
import { uploadRoute } from '../../src/uploads/upload-route.js';
import { createUploads, type Uploads } from '../../src/uploads/uploads.js';

export type Part = [name: string, value: string | Buffer, filename?: string];

export interface UploadBench {
  redis: RedisSandbox;
  url: string;
  port: number;
  catalog: Catalog;
  uploads: Uploads;
  /** Uploads a form of these parts. */
  send(parts: Part[], headers?: Record<string, string>): Promise<Sent>;
  filesOnHost(): Promise<string[]>;
  /** Waits until neither the host nor Redis holds anything of an upload. */
  expectNothingLeft(): Promise<void>;
  close(): Promise<void>;
}

interface Sent {
  status: number;
  body: Record<string, unknown>;
  headers: Headers;
}

export const uploadLimits: UploadSettings = {
  maxBytes: 1_000_000,
  maxConcurrent: 2,
  maxBacklog: 1_000,
  allowedTypes: ['image/*', 'application/zip'],
};

/** Larger than what is read whole before it goes to the host. */
export const LARGE = 600_000;

/** The route of uploads alone, on the host that `env` names or the local one, with a Redis of its own. */
export async function openUploadBench(
  limits: Partial<UploadSettings> = {},
  env: Environment = {},
  hostOptions: Partial<MediaHostOptions> = {},
): Promise<UploadBench> {
  const uploadSettings = { ...uploadLimits, ...limits };
  const redis = await startRedisSandbox();
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-upload-'));
  const settings = readSettings({ DATA_DIR: folder, REDIS_URL: redis.url, ...env });
  const host = await createMediaHost(settings.host, { log: silentLogger, ...hostOptions });
  const client = connectRedis(settings.redis.connection, 'request', silentLogger, profileOf(settings.redis));
  await isReadyWithin(client, 5_000);
  const keys = redisKeys('holdfast');
  const catalog = createCatalog(client, keys);
  const queues = connectMediaQueues(settings.redis, settings.jobs, silentLogger);
  const uploads = createUploads({
    uploads: uploadSettings,
    folder: 'holdfast',
    host,
    catalog,
    claims: createClaims(client, keys),
    rebuilding: watchRebuilding(createSyncState(client, keys), catalog, watchNewCatalog(host, silentLogger)),
    claimWaitMs: 300,
    intents: createIntents(client, keys),
    queues,
    shutdown: createShutdown(),
    log: silentLogger,
    newBackoff: () => redisBackoff(client),
  });
  const app = express();
  const address = { url: () => 'http://example.test', port: 0 };
  app.use(requestContext(silentLogger, () => anonymous));
  const statusFollowers = createStatusFollowers({
    catalog,
    deferred: uploads.deferred,
    connect: () => connectRedis(settings.redis.connection, 'events', silentLogger),
    keys,
    log: silentLogger,
  });
  app.post('/upload', uploadRoute(uploads, { ...uploads, waits: createShares(8), statusFollowers, address }));
  app.use(errorHandler);
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${String(port)}/upload`;
  const mediaFolder = join(folder, 'media');
  return {
    redis,
    url,
    port,
    catalog,
    uploads,
    send: (parts, headers = {}) => send(url, parts, headers),
    filesOnHost: () => filesIn(mediaFolder),
    expectNothingLeft: () =>
      vi.waitFor(async () => {
        expect(await filesIn(mediaFolder)).toEqual([]);
        const intents = await redis.client.keys('{holdfast}:intent:*');
        const states = await Promise.all(intents.map((key) => redis.client.hget(key, 'state')));
        // A dead one remembers to look at the host again.
        expect(states.filter((state) => state !== 'dead')).toEqual([]);
        expect((await catalog.counts()).total).toBe(0);
      }),
    close: async () => {
      uploads.deferred.stop();
      await statusFollowers.close();
      server.closeAllConnections();
      server.close();
      await queues.close();
      await closeRedis(client);
      await host.close();
      await redis.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function send(url: string, parts: Part[], headers: Record<string, string>): Promise<Sent> {
  const form = new FormData();
  for (const [name, value, filename] of parts) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, new Blob([new Uint8Array(value)]), filename ?? 'a.png');
  }
  const response = await fetch(url, { method: 'POST', body: form, headers });
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  };
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && /\.(?:png|json|zip|bin|part|tmp)$|^[0-9A-Z]{26}/.test(entry.name))
    .map((entry) => entry.name);
}
