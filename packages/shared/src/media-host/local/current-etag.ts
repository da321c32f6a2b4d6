import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** Hashes of files that others wrote to, kept so that each listing does not read them again. */
const rehashed = new Map<string, string>();
const MAX_KEPT = 1_000;

/**
 * MD5 in hex of the bytes on disk: the one recorded while size and time of writing are the recorded ones, else of what
 * is there now.
 */
export async function currentEtag(
  path: string,
  now: { size: number; mtimeMs: number },
  recorded: { bytes: number; mtimeMs: number; etag: string },
): Promise<string> {
  if (now.size === recorded.bytes && now.mtimeMs === recorded.mtimeMs) return recorded.etag;
  const key = `${path} ${String(now.size)} ${String(now.mtimeMs)}`;
  const before = rehashed.get(key);
  if (before !== undefined) return before;
  const hash = createHash('md5');
  await pipeline(createReadStream(path), hash);
  const etag = hash.digest('hex');
  if (rehashed.size >= MAX_KEPT) rehashed.clear();
  rehashed.set(key, etag);
  return etag;
}
