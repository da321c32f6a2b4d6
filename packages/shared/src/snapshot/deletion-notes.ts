import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createBatch } from '../batch/index.js';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { untilAborted } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { isMediaId, mediaIdFrom, newMediaId } from '../media/index.js';
import { isTransientHostError, type MediaHost } from '../media-host/index.js';
import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { deletionsIn, deletionsName } from './snapshot-names.js';

/**
 * Notes on the host, beside the snapshots, which files were deleted: a snapshot still has their records, and tombstones live in
 * Redis, which may be wiped. A recovery reads these notes first (docs/decisions/0012-snapshots-and-deletions.md).
 */
export interface DeletionNotes {
  /**
   * Resolves once the host has the note. Begins before the removal of the asset: after it, nothing else on the host says
   * that the file was deleted. A host that refuses the note for good must not keep the file, so that is only logged.
   * Rejects where another try may help. May be repeated.
   */
  add(id: string, signal: AbortSignal): Promise<void>;
  /** Stops joining files. No call may follow. */
  close(): Promise<void>;
}

type FilesHost = Pick<MediaHost, 'putFile' | 'readFile' | 'removeFile'>;

/** From so many files that are not full on, they are joined into one in the background. */
const JOINED_AT = 24;
/** From so many on a deletion waits for that. A Redis that is emptied forgets as many, and the host may keep a hundred. */
const MOST_FILES = 40;
const WRITE_WITHIN_MS = 10_000;
/** While another process joins files. */
const AGAIN_MS = 50;

/**
 * `snapshots` as in the settings: without them there is nothing that a deletion must be kept from. Deletions that come while a
 * file is being written share the next one.
 */
export function createDeletionNotes(
  { host, redis, keys }: { host: FilesHost; redis: RedisClient; keys: RedisKeys },
  { folder, snapshots }: { folder: string; snapshots: boolean },
  log: Logger,
): DeletionNotes {
  const listed = listedDeletions(redis, keys);
  const stopping = new AbortController();
  let joining: Promise<void> | null = null;

  const join = (): Promise<void> => {
    joining ??= joinDeletions({ host, listed, folder }, stopping.signal).finally(() => {
      joining = null;
    });
    return joining;
  };

  const makeRoom = async (): Promise<void> => {
    const until = performance.now() + WRITE_WITHIN_MS;
    for (;;) {
      const open = (await listed.open()).length;
      if (open < JOINED_AT) return;
      const joined = join();
      if (open < MOST_FILES) {
        joined.catch((error: unknown) => {
          if (!stopping.signal.aborted) log.warn('snapshot.deletions_not_joined', { error });
        });
        return;
      }
      await joined;
      if (performance.now() > until)
        throw new HoldfastError('HOST_TIMEOUT', 'the files of earlier deletions were not joined in time');
      await pause(AGAIN_MS);
    }
  };

  const note = createBatch(async (batch: readonly string[]): Promise<undefined[]> => {
    const ids = [...new Set(batch)];
    const name = deletionsName(folder, ids.length, newMediaId());
    try {
      await makeRoom();
      await putListed(host, listed, name, ids, AbortSignal.timeout(WRITE_WITHIN_MS));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await listed.drop([name]);
      log.warn('snapshot.deletion_not_noted', { ids, error });
    }
    return batch.map(() => undefined);
  });

  return {
    add: async (id, signal) => {
      if (snapshots) await untilAborted(note(id), signal);
    },
    close: async () => {
      stopping.abort(new Error('stopping'));
      await joining?.catch(() => undefined);
    },
  };
}

/** The host will not take the file, however often it is asked. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof HoldfastError) || isTransientHostError(error)) return false;
  return !isHoldfastError(error, 'CATALOG_UNAVAILABLE');
}

/**
 * Writes a file of deletions. It is listed before, so that a process that dies leaves no file that is never joined, and once more
 * after: a join that met the name before the file took it off the list.
 */
async function putListed(
  host: FilesHost,
  listed: ListedDeletions,
  name: string,
  ids: readonly string[],
  signal: AbortSignal,
  puts = 2,
): Promise<void> {
  await listed.add([name]);
  try {
    await host.putFile(name, encodeDeletions(ids), signal);
  } catch (cause) {
    if (isHoldfastError(cause, 'HOST_CONTENT_MISMATCH')) {
      // Other bytes would stay under this name.
      await host.removeFile(name, signal);
      if (puts > 1) return putListed(host, listed, name, ids, signal, puts - 1);
    }
    if (!signal.aborted) throw cause;
    throw new HoldfastError('HOST_TIMEOUT', 'the host did not take the note of a deletion in time', {
      cause,
    });
  }
  await listed.add([name]);
}

/** Notes deletions on a host that a catalog was moved from. They are never joined there. */
export async function noteDeletions(
  host: Pick<MediaHost, 'putFile'>,
  folder: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (ids.length > 0)
    await host.putFile(deletionsName(folder, ids.length, newMediaId()), encodeDeletions(ids), signal);
}

/** A file of so many deletions (540 kB) is never joined again: a join copies at most that, and what the small ones note. */
const FULL_FILE = 20_000;
/** Of a join. It only saves work: two at once leave deletions noted twice. */
const LEASE_MS = 30_000;
const CALLS_AT_ONCE = 8;
/** The time in the names of joined files, which says nothing. The library takes 0 for now. */
const JOINED_MS = 1;

/** The names of the files of deletions on the host, which processes share (`keys.deletions`). Throws CATALOG_UNAVAILABLE. */
export function listedDeletions(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  return {
    /** Names of other files are left out. */
    add: (names: readonly string[]): Promise<void> =>
      guarded(async () => {
        const listed = names.flatMap((name) => (deletionsIn(name) > 0 ? [deletionsIn(name), name] : []));
        if (listed.length > 0) await redis.zadd(keys.deletions, ...listed);
      }),
    drop: (names: readonly string[]): Promise<void> =>
      guarded(async () => {
        if (names.length > 0) await redis.zrem(keys.deletions, ...names);
      }),
    /** Those that are not full. */
    open: (): Promise<string[]> =>
      guarded(() => redis.zrangebyscore(keys.deletions, '-inf', `(${String(FULL_FILE)}`)),
    /** What they add up to. */
    sizes: (): Promise<{ files: number; deletions: number }> =>
      guarded(async () => {
        const names = await redis.zrange(keys.deletions, '0', '-1');
        return { files: names.length, deletions: names.reduce((sum, name) => sum + deletionsIn(name), 0) };
      }),
    /** Takes the right to join files; false while another process has it. */
    hold: (): Promise<boolean> =>
      guarded(async () => (await redis.set(keys.deletionsLease, '1', 'PX', LEASE_MS, 'NX')) === 'OK'),
    release: (): Promise<void> => guarded(async () => void (await redis.del(keys.deletionsLease))),
  };
}

export type ListedDeletions = ReturnType<typeof listedDeletions>;

/**
 * Writes what all files note that are not full into one, and removes them after that. A process that dies in between leaves
 * deletions noted twice, and every file listed. Does nothing while another process joins files. Rejects when the host or Redis fails.
 */
export async function joinDeletions(
  { host, listed, folder }: { host: FilesHost; listed: ListedDeletions; folder: string },
  signal: AbortSignal,
): Promise<void> {
  if (!(await listed.hold())) return;
  try {
    const names = await listed.open();
    const ids = new Set<string>();
    const read: string[] = [];
    await inTurns(names, async (name) => {
      const body = await host.readFile(name, signal);
      const noted = body === null ? [] : decodeDeletions(body);
      for (const id of noted) ids.add(id);
      if (noted.length === deletionsIn(name)) read.push(name);
      // Not written yet, or not what its name says: it stays as it is. Off the list at once, before who writes it lists it again.
      else await listed.drop([name]);
    });
    const sorted = [...ids].toSorted();
    // Always the same name for them: however often a host fails here, it is left with one file.
    const seed = createHash('sha256').update(encodeDeletions(sorted)).digest();
    const joined = deletionsName(folder, ids.size, mediaIdFrom(JOINED_MS, seed));
    if (ids.size > 0) await putListed(host, listed, joined, sorted, signal);
    // It may be one of them, beside files that a process which died has not removed.
    await inTurns(read, async (name) => {
      if (name !== joined) await host.removeFile(name, signal);
    });
    // A file that the host denied and has is listed again by the next snapshot.
    await listed.drop(read.filter((name) => name !== joined));
  } finally {
    await listed.release().catch(() => undefined);
  }
}

async function inTurns<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += CALLS_AT_ONCE)
    await Promise.all(items.slice(start, start + CALLS_AT_ONCE).map(work));
}

/** The content of a file that notes these deletions. */
export function encodeDeletions(ids: readonly string[]): Buffer {
  return Buffer.from(`${ids.join('\n')}\n`);
}

/** The deletions that a file notes. Lines that are not ids are left out. */
export function decodeDeletions(body: Buffer): string[] {
  return body.toString().split('\n').filter(isMediaId);
}
