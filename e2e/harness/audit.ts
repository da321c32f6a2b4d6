import type { CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import type { RedisServers } from '@holdfast/shared/testing';
import { expect, vi } from 'vitest';
import type { ApiClient, Media } from './client.js';
import { sha256 } from './client.js';

/** What was acknowledged to a client: the bytes it sent, and what it may expect to find. */
export interface Acknowledged {
  id: string;
  data: Buffer;
  title?: string;
}

/** What the audit looks at itself, beside the API. */
export interface Audited {
  redis: Pick<RedisServers, 'client'>;
  emulator: CloudinaryEmulator | null;
}

/**
 * The one question of this product: is everything that was acknowledged there, exactly once, in the catalog and on the
 * host, byte for byte, and nothing else? Waits until nothing is on its way any more.
 */
export async function audit(
  deployment: Audited,
  client: ApiClient,
  acknowledged: readonly Acknowledged[],
  withinMs = 60_000,
): Promise<Media[]> {
  const items = await vi.waitFor(
    async () => {
      const all = await client.all();
      expect(
        all.filter((media) => media.status !== 'verified').map(({ id, status }) => ({ id, status })),
      ).toEqual([]);
      for (const { id } of acknowledged) expect(all.filter((media) => media.id === id)).toHaveLength(1);
      expect(await deployment.redis.client.zcard('{holdfast}:intents')).toBe(0);
      if (deployment.emulator !== null) {
        // Snapshots of the catalog have another delivery type than media.
        const assets = (await deployment.emulator.assets.list()).filter(({ type }) => type === 'upload');
        expect(assets).toHaveLength(all.length);
      }
      return all;
    },
    { timeout: withinMs, interval: 250 },
  );
  for (const { id, data, title } of acknowledged) {
    const media = items.find((item) => item.id === id);
    expect(media?.checksum.sha256).toBe(sha256(data));
    if (title !== undefined) expect(media?.title).toBe(title);
    const served = await servedBytes(deployment, client, media?.url ?? '');
    expect(served.equals(data)).toBe(true);
  }
  return items;
}

/** The local host's addresses name the first API, which may be gone: any API serves the files. */
async function servedBytes(deployment: Audited, client: ApiClient, url: string): Promise<Buffer> {
  const place = deployment.emulator === null ? `${client.url}${new URL(url).pathname}` : url;
  return Buffer.from(await (await fetch(place)).arrayBuffer());
}
