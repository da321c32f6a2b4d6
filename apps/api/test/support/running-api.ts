import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { silentLogger, type Logger } from '@holdfast/foundation/logging';
import {
  newMediaId,
  publicIdFor,
  recordFromAsset,
  writeHostMetadata,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { RedisClient } from '@holdfast/shared/redis';
import { onePixelPng, proofOf, type RedisSandbox } from '@holdfast/shared/testing';
import { apiServer } from '../../src/api-service.js';
import { openDependencies, type Dependencies } from '../../src/dependencies.js';
import { buildDocument } from '../../src/openapi/document.js';
import { routes } from '../../src/routes.js';
import { createAnswerCheck, type AnswerCheck } from './check-answer.js';

/** An API on a real port, with the local host in a folder of its own. */
export interface RunningApi {
  url: string;
  port: number;
  deps: Dependencies;
  /** `fetch` against it; redirects are not followed. Rejects when the answer is not as the OpenAPI document says. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** The answer's status and JSON. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Called>;
  /** A file on the host and, verified, in the catalog. */
  addMedia(
    over?: Partial<Pick<MediaRecord, 'title' | 'description' | 'category' | 'tags' | 'filename'>>,
  ): Promise<MediaRecord>;
  stop(deadline: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface Called {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of any shape
  body: any;
}

export async function startApi(
  redis: Pick<RedisSandbox, 'url'>,
  env: Environment = {},
  log: Logger = silentLogger,
): Promise<RunningApi> {
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-api-'));
  const settings = readSettings({
    REDIS_URL: redis.url,
    REDIS_PREFIX: `t-${randomUUID()}`,
    DATA_DIR: dataDir,
    PORT: '0',
    ...env,
  });
  const deps = await openDependencies(settings, log, env);
  await readyOrRefused(deps.redis.request);
  const server = apiServer(deps);
  const closeAll = async (): Promise<void> => {
    await server.stop(AbortSignal.timeout(1_000));
    await deps.close();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await server.start();
  } catch (error) {
    await closeAll();
    throw error;
  }
  const url = deps.address.url();
  // Compiling blocks for so long that a request under way would take Redis for away.
  const check = answerCheckFor(deps);
  const request = async (path: string, init?: RequestInit): Promise<Response> => {
    const response = await fetch(`${url}${path}`, { redirect: 'manual', ...init });
    await refuseUndescribed(check, init?.method ?? 'GET', path, response);
    return response;
  };
  return {
    url,
    port: Number(new URL(url).port),
    deps,
    request,
    call: async (method, path, body, headers = {}) => {
      const json = body === undefined ? {} : { body: JSON.stringify(body) };
      const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
      const response = await request(path, { method, headers: { ...type, ...headers }, ...json });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: parseIfJson(response, text) };
    },
    addMedia: (over = {}) => addMedia(deps, over),
    stop: (deadline) => server.stop(deadline),
    close: closeAll,
  };
}

const checks = new Map<string, AnswerCheck>();

function answerCheckFor(deps: Dependencies): AnswerCheck {
  const { kind } = deps.host;
  const check = checks.get(kind) ?? createAnswerCheck(buildDocument(routes(deps), deps.settings.access));
  checks.set(kind, check);
  return check;
}

/** So each test of the API is one of its description, too. */
async function refuseUndescribed(
  check: AnswerCheck,
  method: string,
  path: string,
  response: Response,
): Promise<void> {
  if (method === 'HEAD') return;
  const { status, headers } = response;
  const type = headers.get('content-type');
  const isJson = type?.includes('json') === true && !type.includes('ndjson');
  const body: unknown = isJson
    ? await response
        .clone()
        .json()
        .catch(() => undefined)
    : undefined;
  // What has no JSON, or was cut off, still has a status and headers.
  const wrong = check({ method, path, status, type: body === undefined ? null : type, body, headers });
  if (wrong !== null) throw new Error(`src/routes.ts does not describe this answer: ${wrong}`);
}

/** A busy machine may take longer to connect than the API waits at its start; a Redis that is not there refuses. */
async function readyOrRefused(client: RedisClient): Promise<void> {
  if (client.status === 'ready') return;
  await new Promise<void>((resolve) => {
    client.once('ready', () => resolve());
    client.once('close', () => resolve());
  });
}

function parseIfJson(response: Response, text: string): unknown {
  return /json/.test(response.headers.get('content-type') ?? '') && text !== '' ? JSON.parse(text) : text;
}

async function addMedia(
  { host, catalog, settings }: Dependencies,
  over: Partial<MediaRecord>,
): Promise<MediaRecord> {
  const id = newMediaId();
  const { folder } = settings.host;
  const at = new Date().toISOString();
  const { asset } = await host.put({
    ref: { publicId: publicIdFor(folder, id), resourceType: 'image' },
    metadata: writeHostMetadata({
      mark: { state: 'committed' },
      fields: {
        id,
        revision: 1,
        filename: 'a.png',
        title: 'A',
        description: '',
        category: 'nature',
        tags: ['sea'],
        uploadedBy: 'web',
        createdAt: at,
        updatedAt: at,
        source: 'upload',
        checksum: { sha256: 'ab'.repeat(32), md5: 'cd'.repeat(16) },
        durationSeconds: null,
        ...over,
      },
    }),
    body: onePixelPng,
    contentLength: onePixelPng.length,
    signal: AbortSignal.timeout(5_000),
  });
  const record = recordFromAsset(asset, folder, 'upload');
  await catalog.save(record);
  await catalog.markVerified('fsynced', new Date(), [proofOf(record)]);
  const saved = await catalog.find(id);
  if (saved === null) throw new Error('the record was not saved');
  return saved;
}
