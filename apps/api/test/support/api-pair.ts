import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startCloudinaryEmulator, type CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { resourceTypes } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import type { RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from './running-api.js';

export type HostKind = 'local' | 'cloudinary';

export interface Uploaded {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of any shape
  body: any;
}

export interface UploadOptions {
  key?: string;
  fields?: Record<string, string>;
  filename?: string;
  query?: string;
  headers?: Record<string, string>;
}

const PNG_HEAD = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806000000', 'hex');

/** Never the same twice. */
export function aPng(bytes = 1_000): Buffer {
  return Buffer.concat([PNG_HEAD, randomBytes(bytes - PNG_HEAD.length)]);
}

export const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** Two APIs of one deployment, with a host of its own; they end with the test. */
export async function startApiPair(
  redis: Pick<RedisSandbox, 'url'>,
  kind: HostKind,
  over: Record<string, string> = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-pair-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  let emulator: CloudinaryEmulator | undefined;
  if (kind === 'cloudinary') {
    emulator = await startCloudinaryEmulator();
    onTestFinished(() => emulator?.close());
  }
  const prefix = `t-${randomUUID()}`;
  const env = {
    DATA_DIR: folder,
    REDIS_PREFIX: prefix,
    ...(emulator === undefined ? {} : { CLOUDINARY_URL: emulator.cloudinaryUrl }),
    ...over,
  };
  const start = async (): Promise<RunningApi> => {
    const api = await startApi(redis, env);
    onTestFinished(() => api.close());
    return api;
  };
  const [a, b] = await Promise.all([start(), start()]);
  return {
    a,
    b,
    emulator,
    prefix,
    /** Everything on the host. */
    assets: async (): Promise<HostAsset[]> => {
      const pages = await Promise.all(
        resourceTypes.map((resourceType) =>
          a.deps.host.list({ resourceType, cursor: null, limit: 500, signal: AbortSignal.timeout(5_000) }),
        ),
      );
      return pages.flatMap((page) => page.assets);
    },
  };
}

export type ApiPair = Awaited<ReturnType<typeof startApiPair>>;

export async function upload(api: RunningApi, data: Buffer, options: UploadOptions = {}): Promise<Uploaded> {
  const { key, fields = {}, filename = 'a.png', query = '', headers = {} } = options;
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append('file', new Blob([new Uint8Array(data)]), filename);
  const response = await api.request(`/api/media/upload${query}`, {
    method: 'POST',
    body: form,
    headers: { ...headers, ...(key === undefined ? {} : { 'Idempotency-Key': key }) },
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
