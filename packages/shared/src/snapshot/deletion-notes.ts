import { setTimeout as pause } from 'node:timers/promises';
import { createBatch } from '../batch/index.js';
import { HoldfastError, isHoldfastError } from '@holdfast/foundation/errors';
import { untilAborted } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { newMediaId } from '../media/index.js';
import { isTransientHostError, type MediaHost } from '../media-host/index.js';
import type { RedisClient, RedisKeys } from '../redis/index.js';
import { joinDeletions, listedDeletions, putDeletions } from './deletion-files.js';
import { deletionsName } from './snapshot-names.js';

/**
 * Keeps on the host, beside the snapshots, which media were deleted since: a snapshot still has their records, and the
 * tombstones live in Redis, which may be wiped. A recovery reads these notes first (docs/decisions/0012-snapshots-and-deletions.md).
 */
export interface DeletionNotes {
  /**
   * Resolves once the host has the note. Begins before the removal of the asset: after it, nothing else on the host says
   * that the media was deleted. A host that refuses the note for good must not keep the media, so that is only logged.
   * Rejects where another try may help. May be repeated.
   */
  add(id: string, signal: AbortSignal): Promise<void>;
  /** Stops joining files. No call may follow. */
  close(): Promise<void>;
}

export interface DeletionNotesParts {
  host: Pick<MediaHost, 'putFile' | 'readFile' | 'removeFile'>;
  redis: RedisClient;
  keys: RedisKeys;
}

/** From so many files that are not full on, some are joined into one. More than the 17 that joining may leave. */
const JOINED_AT = 24;
/** So many are never exceeded. A Redis that is emptied forgets as many, and a hundred is what a deployment may leave. */
const MOST_FILES = 40;
const WRITE_WITHIN_MS = 10_000;
/** While another process joins files. */
const AGAIN_MS = 50;

/**
 * `snapshots` as in the settings: without them there is nothing that a deletion must be kept from. Deletions that come while a file
 * is being written share the next one.
 */
export function createDeletionNotes(
  { host, redis, keys }: DeletionNotesParts,
  { folder, snapshots }: { folder: string; snapshots: boolean },
  log: Logger,
): DeletionNotes {
  const listed = listedDeletions(redis, keys);
  const stopping = new AbortController();
  /** The host may or may not have this one. It is written again first, so that each process leaves one such file at most. */
  let unsettled: { name: string; ids: readonly string[] } | null = null;
  let joining: Promise<void> | null = null;

  const join = (): Promise<void> => {
    joining ??= joinDeletions({ host, listed, folder }, stopping.signal).finally(() => {
      joining = null;
    });
    return joining;
  };

  const joinBehind = (): void => {
    join().catch((error: unknown) => {
      if (!stopping.signal.aborted) log.warn('snapshot.deletions_not_joined', { error });
    });
  };

  const reserve = async (name: string): Promise<void> => {
    const begun = performance.now();
    for (;;) {
      const open = await listed.reserve(name, MOST_FILES);
      if (open !== null) {
        if (open >= JOINED_AT) joinBehind();
        return;
      }
      await join();
      if (performance.now() - begun > WRITE_WITHIN_MS)
        throw new HoldfastError('HOST_TIMEOUT', 'the files of earlier deletions were not joined in time');
      await pause(AGAIN_MS);
    }
  };

  const settle = async (): Promise<void> => {
    if (unsettled === null) return;
    const { name, ids } = unsettled;
    const deadline = AbortSignal.timeout(WRITE_WITHIN_MS);
    try {
      await putDeletions(host, name, ids, deadline);
    } catch (cause) {
      if (!deadline.aborted) throw cause;
      throw new HoldfastError('HOST_TIMEOUT', 'the note of a deletion was not taken in time', { cause });
    }
    await listed.add([name]);
    unsettled = null;
  };

  const giveUp = async (error: unknown, ids: readonly string[]): Promise<void> => {
    if (!isRefusal(error)) throw error;
    if (unsettled !== null) await listed.drop([unsettled.name]);
    log.warn('snapshot.deletion_not_noted', { ids: unsettled?.ids ?? ids, error });
    unsettled = null;
  };

  const note = createBatch(async (batch: readonly string[]): Promise<undefined[]> => {
    const ids = [...new Set(batch)];
    // That the host refuses an earlier file says nothing of this one.
    await settle().catch((error: unknown) => giveUp(error, []));
    try {
      const name = deletionsName(folder, ids.length, newMediaId());
      await reserve(name);
      unsettled = { name, ids };
      await settle();
    } catch (error) {
      await giveUp(error, ids);
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
