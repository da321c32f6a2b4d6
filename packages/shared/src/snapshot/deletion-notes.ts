import { isTransientHostError, type MediaHost } from '../media-host/index.js';
import { abortReason, isAborted } from '../lifecycle/index.js';
import type { Logger } from '../logging/index.js';
import { deletionName } from './snapshot-names.js';

/**
 * Keeps on the host, beside the snapshots, which media were deleted since: a snapshot still has their records, and the
 * tombstones live in Redis, which may be wiped. A recovery reads these notes first.
 */
export interface DeletionNotes {
  /**
   * Resolves once the host has the note. Begins before the removal of the asset: after it, nothing else on the host tells
   * that the media was deleted. A host that refuses the note for good must not keep the media, so that is only logged.
   * Rejects where another try may help. May be repeated.
   */
  add(id: string, signal: AbortSignal): Promise<void>;
}

/** `snapshots` as in the settings: without them there is nothing that a deletion must be kept from. */
export function createDeletionNotes(
  host: Pick<MediaHost, 'putFile'>,
  { folder, snapshots }: { folder: string; snapshots: boolean },
  log: Logger,
): DeletionNotes {
  return {
    add: async (id, signal) => {
      if (!snapshots) return;
      try {
        await host.putFile(deletionName(folder, id), Buffer.from(JSON.stringify({ deleted: id })), signal);
      } catch (error) {
        if (isAborted(signal)) throw abortReason(signal);
        if (isTransientHostError(error)) throw error;
        log.warn('snapshot.deletion_not_noted', { id, error });
      }
    },
  };
}
