import { createHash, randomBytes } from 'node:crypto';

export interface Media {
  id: string;
  status: string;
  publicId: string;
  assetId: string;
  resourceType: 'image' | 'video' | 'raw';
  url: string;
  bytes: number;
  title: string;
  revision: number;
  checksum: { sha256: string | null; md5: string | null };
  persistence: { level: string | null; verifiedAt: string | null; attempts: number };
  lastError: { code: string } | null;
  [field: string]: unknown;
}

export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: T;
}

const PNG_HEAD = Buffer.from(
  '89504e470d0a1a0a0000000d4948445200000001000000010806000000' +
    '1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082',
  'hex',
);

/** A valid one-pixel PNG followed by random bytes: as large as wanted, and never the same twice. */
export function aPng(bytes = 1_000): Buffer {
  return Buffer.concat([PNG_HEAD, randomBytes(Math.max(bytes - PNG_HEAD.length, 8))]);
}

export const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** What a client of the API does. */
export function apiClient(url: string, headers: Record<string, string> = {}) {
  const call = async <T = Record<string, unknown>>(
    path: string,
    init: RequestInit = {},
  ): Promise<Answer<T>> => {
    const response = await fetch(`${url}${path}`, {
      ...init,
      headers: { ...headers, ...(init.headers as Record<string, string> | undefined) },
    });
    const text = await response.text();
    const json = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      body: (json ? JSON.parse(text) : text) as T,
    };
  };
  return {
    url,
    call,
    upload: (
      data: Buffer,
      fields: Record<string, string> = {},
      more: Record<string, string> = {},
      name = 'a.png',
    ) => {
      const form = new FormData();
      for (const [key, value] of Object.entries(fields)) form.set(key, value);
      form.set('file', new Blob([new Uint8Array(data)], { type: 'image/png' }), name);
      return call<{ media: Media; links: Record<string, string>; code?: string }>('/api/media/upload', {
        method: 'POST',
        body: form,
        headers: more,
      });
    },
    media: (id: string) => call<Media>(`/api/media/${id}`),
    list: (query = '') =>
      call<{ items: Media[]; nextCursor: string | null; total: number | null }>(`/api/media${query}`),
    /** Every item of the list, page by page. */
    all: async (): Promise<Media[]> => {
      const items: Media[] = [];
      let cursor: string | null = null;
      do {
        const { body }: Answer<{ items: Media[]; nextCursor: string | null }> = await call(
          `/api/media?limit=100${cursor === null ? '' : `&cursor=${cursor}`}`,
        );
        items.push(...body.items);
        cursor = body.nextCursor;
      } while (cursor !== null);
      return items;
    },
    sync: (mode: 'full' | 'incremental' = 'full') =>
      call(`/api/media/sync-cloudinary?mode=${mode}`, {
        method: 'POST',
        headers: { Prefer: 'wait=60' },
      }),
  };
}

export type ApiClient = ReturnType<typeof apiClient>;
