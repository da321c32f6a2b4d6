import { createHash, randomUUID } from 'node:crypto';
import { isHoldfastError } from '../errors/index.js';
import { isMediaId, mediaIdFrom, newMediaId } from '../media/index.js';
import type { MediaHost } from '../media-host/index.js';
import { FULL_FILE, type ListedDeletions, type OpenFile } from './listed-deletions.js';
import { deletionsName } from './snapshot-names.js';

const CALLS_AT_ONCE = 8;
const RENEW_MS = 10_000;
const PUTS = 2;
/** The time in the names of joined files, which says nothing. The library takes 0 for now. */
const JOINED_MS = 1;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export interface JoinParts {
  host: Pick<MediaHost, 'putFile' | 'readFile' | 'removeFile'>;
  listed: ListedDeletions;
  folder: string;
}

/** The content of a file that notes these deletions. */
export function encodeDeletions(ids: readonly string[]): Buffer {
  return Buffer.from(`${ids.join('\n')}\n`);
}

/**
 * Writes a file that notes these deletions, under a name of their own. Where the host stores other bytes they are removed, since they
 * would stay under that name, and it is given the file once more.
 */
export async function putDeletions(
  host: Pick<MediaHost, 'putFile' | 'removeFile'>,
  name: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const body = encodeDeletions(ids);
  for (let left = PUTS; ; left -= 1) {
    try {
      return await host.putFile(name, body, signal);
    } catch (error) {
      if (!isHoldfastError(error, 'HOST_CONTENT_MISMATCH')) throw error;
      await host.removeFile(name, signal);
      if (left === 1) throw error;
    }
  }
}

/** Notes deletions on a host that nobody deletes from any more, such as the one that a catalog was moved from. Not joined there. */
export async function noteDeletions(
  host: Pick<MediaHost, 'putFile'>,
  folder: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (ids.length > 0)
    await host.putFile(deletionsName(folder, ids.length, newMediaId()), encodeDeletions(ids), signal);
}

/** The deletions that a file notes. Lines that are no ids are left out. */
export function decodeDeletions(body: Buffer): string[] {
  return body.toString().split('\n').filter(isMediaId);
}

/**
 * Writes what several small files note into one, and removes them after that. A process that dies in between leaves deletions noted
 * twice, and every file listed. Does nothing while another process joins files. Rejects when the host or Redis fails.
 */
export async function joinDeletions(parts: JoinParts, signal: AbortSignal): Promise<void> {
  const { listed } = parts;
  const token = randomUUID();
  if (!(await listed.hold(token))) return;
  const heartbeat = setInterval(() => void listed.hold(token).catch(() => undefined), RENEW_MS);
  try {
    await join(filesToJoin(await listed.open()), parts, signal);
  } finally {
    clearInterval(heartbeat);
    await listed.release(token).catch(() => undefined);
  }
}

/**
 * The smallest files, as many as at least double the size of each one of them, so that a deletion is copied about as often as its file
 * can double until it is full. Seventeen files at most are left: each of them is larger than all smaller ones together.
 */
export function filesToJoin(files: readonly OpenFile[]): OpenFile[] {
  const sorted = files.toSorted((a, b) => a.count - b.count);
  let doubled = 0;
  let total = 0;
  for (const [index, { count }] of sorted.entries()) {
    if (index > 0 && count <= total) doubled = index + 1;
    total += count;
    if (total >= FULL_FILE) return sorted.slice(0, index + 1);
  }
  return sorted.slice(0, doubled);
}

async function join(
  files: readonly OpenFile[],
  { host, listed, folder }: JoinParts,
  signal: AbortSignal,
): Promise<void> {
  if (files.length === 0) return;
  const ids = new Set<string>();
  const read: string[] = [];
  const unread: string[] = [];
  await inTurns(files, async ({ name, count }) => {
    const body = await host.readFile(name, signal);
    const noted = body === null ? [] : decodeDeletions(body);
    for (const id of noted) ids.add(id);
    // Of another number of deletions than its name says: it stays as it is.
    (noted.length === count ? read : unread).push(name);
  });
  const sorted = [...ids].toSorted();
  // Always the same name for them: however often a host fails here, it is left with one file.
  const seed = createHash('sha256').update(encodeDeletions(sorted)).digest();
  const joined = deletionsName(folder, ids.size, mediaIdFrom(JOINED_MS, seed));
  if (ids.size > 0) {
    await listed.reserve(joined, NO_LIMIT);
    await putDeletions(host, joined, sorted, signal);
    await listed.add([joined]);
  }
  // It may be one of them, beside files that a process which died has not removed.
  const spent = read.filter((name) => name !== joined);
  await inTurns(spent, async (name) => void (await host.removeFile(name, signal)));
  // Where a host denies a file that it has, it is listed again by the next snapshot.
  await listed.drop([...spent, ...unread]);
}

async function inTurns<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += CALLS_AT_ONCE)
    await Promise.all(items.slice(start, start + CALLS_AT_ONCE).map(work));
}
