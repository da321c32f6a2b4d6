import type { MediaHost } from '@holdfast/shared/media-host';
import { newMediaId } from '@holdfast/shared/media';
import type { RedisClient, RedisKeys } from '@holdfast/shared/redis';
import {
  catalogLines,
  encodeManifest,
  manifestName,
  partName,
  writeParts,
  type SnapshotManifest,
} from '@holdfast/shared/snapshot';
import type { SnapshotNote } from '@holdfast/shared/sync';
import { fetchPatiently } from '../host-calls/fetch-patiently.js';

/** Below the 10 MB that the smallest plan allows for a raw file, by more than a part may grow past it. */
export const PART_BYTES = 8_000_000;

export interface WriteParts {
  redis: RedisClient;
  keys: RedisKeys;
  host: Pick<MediaHost, 'putFile'>;
  folder: string;
  partBytes: number;
  backoffMs: number;
  signal: AbortSignal;
  /** Rejects when another worker has the lease, or when this is not the catalog any more that was read. */
  insistOnCatalog: () => Promise<void>;
  nowMs: number;
}

/**
 * Writes the catalog to the host: parts while it is read, the manifest last. Until that is there, nothing counts as
 * written. At most one part is in memory.
 */
export async function writeSnapshot(parts: WriteParts): Promise<Omit<SnapshotNote, 'changes'>> {
  const { redis, keys, host, folder, partBytes, signal, nowMs } = parts;
  const id = newMediaId(nowMs);
  const at = new Date(nowMs).toISOString();
  const put = (name: string, body: Buffer): Promise<void> =>
    fetchPatiently(() => host.putFile(name, body, signal), parts.backoffMs, signal);

  const counts = { records: 0, tombstones: 0 };
  const written: SnapshotManifest['parts'] = [];
  for await (const { body, sha256 } of writeParts(catalogLines(redis, keys, counts), partBytes)) {
    await put(partName(folder, id, written.length + 1), body);
    written.push({ bytes: body.length, sha256 });
    signal.throwIfAborted();
  }
  await parts.insistOnCatalog();
  await put(manifestName(folder, id), encodeManifest({ id, folder, at, ...counts, parts: written }));
  const bytes = written.reduce((sum, part) => sum + part.bytes, 0);
  return { id, at, records: counts.records, bytes };
}
