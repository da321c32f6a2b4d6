import { createBatch } from '../batch/index.js';
import { isHoldfastError } from '@holdfast/foundation/errors';
import { untilAborted } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { isMediaId, isOwnId, newMediaId } from '../media/index.js';
import { isTransientHostError, type HostFile, type MediaHost } from '../media-host/index.js';
import { filesIn, snapshotPrefix } from './snapshot-format.js';

/** The next deletion after so many begins another file: a lone one copies at most those before it, 27 bytes each. */
const FULL_FILE = 2_000;
/** The next one after so long, too: notes end with the file that has them. */
const FILE_LASTS_MS = 24 * 3_600_000;

/**
 * Notes of this process on the host, beside the snapshots, which files were deleted: a snapshot still has their records, and
 * tombstones live in Redis, which may be wiped. A recovery reads these notes first (docs/decisions/0012-snapshots-and-deletions.md).
 * Without snapshots there is nothing that a deletion must be kept from.
 *
 * Files on the host are not changed: each write makes a new one, with what the one before it has, and the one before is removed
 * with the next write. Deletions that come while a file is being written share the next one.
 */
export function createDeletionNotes(
  host: Pick<MediaHost, 'putFile' | 'removeFile'>,
  settings: { host: { folder: string }; sync: { snapshots: boolean } },
  log: Logger,
) {
  let current = { name: '', ids: [] as string[], begunMs: 0 };
  /** Files that no deletion needs any more, or that may not have been written. */
  let spent: string[] = [];

  const note = createBatch(async (batch: readonly string[]): Promise<undefined[]> => {
    const nowMs = Date.now();
    const isOpen = current.ids.length < FULL_FILE && nowMs - current.begunMs < FILE_LASTS_MS;
    const ids = [...new Set(isOpen ? [...current.ids, ...batch] : batch)];
    const name = deletionsName(settings.host.folder, ids.length, newMediaId());
    const outdated = spent;
    spent = [];
    try {
      // What cannot be removed stays until a snapshot does without it.
      const removals = outdated.map((file) => host.removeFile(file).catch(() => undefined));
      await Promise.all([host.putFile(name, Buffer.from(`${ids.join('\n')}\n`)), ...removals]);
    } catch (error) {
      spent.push(name);
      // Refused for good: the host will not take a file, however often it is asked.
      const isRefused = isHoldfastError(error) && !isHoldfastError(error, 'HOST_CONTENT_MISMATCH');
      if (!isRefused || isTransientHostError(error)) throw error;
      log.warn('snapshot.deletion_not_noted', { ids: batch, error });
      return batch.map(() => undefined);
    }
    if (isOpen) spent.push(current.name);
    current = { name, ids, begunMs: isOpen ? current.begunMs : nowMs };
    return batch.map(() => undefined);
  });

  return {
    /**
     * Resolves once the host has the note. Begins before the removal of the asset: after it, nothing else on the host says
     * that the file was deleted. A host that refuses the note for good must not keep the file, so that is only logged.
     * Rejects where another try may help. May be repeated.
     */
    add: async (id: string, signal: AbortSignal): Promise<void> => {
      if (settings.sync.snapshots) await untilAborted(note(id), signal);
    },
  };
}

export type DeletionNotes = ReturnType<typeof createDeletionNotes>;

/** The deletions that a file notes. Lines that are not ids are left out. */
export function decodeDeletions(body: Buffer): string[] {
  return body.toString().split('\n').filter(isMediaId);
}

/** A file that notes deletions. */
export interface DeletionFile {
  file: HostFile;
  /** How many it notes. */
  count: number;
  /** The one deletion that is noted by the name alone, as version 0.1.0 did; null where the file has to be read. */
  id: string | null;
}

/** The name of a file that notes so many deletions. `id` is a ULID of its own. */
export function deletionsName(folder: string, count: number, id: string): string {
  return `${snapshotPrefix(folder)}${id}.deletions-${String(count)}`;
}

/** Those of a deployment's files that note deletions. */
export function deletionFiles(folder: string, files: readonly HostFile[]): DeletionFile[] {
  return filesIn(folder, files).flatMap(({ file, id, kind }): DeletionFile[] => {
    if (kind === 'deleted') return isMediaId(id) ? [{ file, count: 1, id }] : [];
    const count = Number(/^deletions-([0-9]{1,9})$/.exec(kind)?.[1] ?? 0);
    return count > 0 && isOwnId(id) ? [{ file, count, id: null }] : [];
  });
}
