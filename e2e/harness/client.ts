import { createHash, randomBytes } from 'node:crypto';
import { onePixelPng } from '@holdfast/shared/testing';

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

/** A valid one-pixel PNG followed by random bytes: as large as wanted, and never the same twice. */
export function aPng(bytes = 1_000): Buffer {
  return Buffer.concat([onePixelPng, randomBytes(Math.max(bytes - onePixelPng.length, 8))]);
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
