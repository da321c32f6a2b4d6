import { createCatalog, encodeContent } from '@holdfast/shared/catalog';
import { redisKeys } from '@holdfast/shared/redis';
import type { RedisSandbox } from '@holdfast/shared/testing';
import { sampleRecord } from './sample-record.js';

const PAGE = 500;
const SPACING_MS = 250;

/** Writes this many verified records past the API, created one after the other until now. */
export async function fillCatalog(redis: RedisSandbox, count: number): Promise<void> {
  const keys = redisKeys('holdfast');
  const catalog = createCatalog(redis.client, keys);
  const firstMs = Date.now() - count * SPACING_MS;
  await redis.client.set(keys.epoch, Date.now());
  for (let first = 0; first < count; first += PAGE) {
    const size = Math.min(PAGE, count - first);
    const records = Array.from({ length: size }, (_, place) =>
      sampleRecord(first + place, firstMs + (first + place) * SPACING_MS),
    );
    await catalog.saveMany(
      records.map((record) => ({ record })),
      null,
    );
    const entries = records.map((record) => ({
      id: record.id,
      content: encodeContent(record),
      attempts: 1,
    }));
    await catalog.markVerified('fsynced', new Date(), entries);
  }
}

/** Bytes that the server says it uses. */
export async function usedMemory(redis: RedisSandbox): Promise<number> {
  const info = await redis.client.info('memory');
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
}
