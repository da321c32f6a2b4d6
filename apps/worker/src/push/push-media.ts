import type { Catalog } from '@holdfast/shared/catalog';
import { HoldfastError } from '@holdfast/shared/errors';
import {
  readHostMetadata,
  writeHostMetadata,
  type HostMetadata,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { JobHandler } from '../job-handler.js';

export interface PushDependencies {
  catalog: Pick<Catalog, 'find' | 'notePushed' | 'noteFailure'>;
  host: Pick<MediaHost, 'find' | 'annotate'>;
}

/** Edits may go on while one is written; this many in a row end with another job of their own. */
const TRIES = 5;

/**
 * Writes the current revision to the asset, so that a rebuild gives it again. An older revision never replaces a newer
 * one: the asset is read before, and the catalog again after, since a late write of ours may have landed on a newer one.
 */
export function createPushMedia({ catalog, host }: PushDependencies): JobHandler<'push'> {
  return async ({ id }, { signal, log, attempt }) => {
    for (let left = TRIES; left > 0; left -= 1) {
      const record = await catalog.find(id);
      if (record === null || record.status === 'deleting' || record.pushedRevision >= record.revision) return;
      const ref = { publicId: record.publicId, resourceType: record.resourceType };
      const asset = await host.find(ref, signal);
      if (asset === null) {
        log.warn('push.asset_missing', { id });
        const { code, message } = new HoldfastError('MEDIA_NOT_FOUND', 'the host does not have this media');
        // Stays on the list of edits that the host lacks: the asset may come back.
        await catalog.noteFailure({
          id,
          revision: 0,
          attempts: attempt,
          final: false,
          error: { code, message },
        });
        return;
      }
      const there = readHostMetadata(asset)?.fields.revision ?? 0;
      if (there > record.revision) {
        log.info('push.host_is_newer', { id, revision: record.revision, hostRevision: there });
        return;
      }
      await host.annotate(ref, metadataOf(record), signal);
      await catalog.notePushed(id, record.revision);
    }
  };
}

export function metadataOf(record: MediaRecord): HostMetadata {
  const { sha256, md5 } = record.checksum;
  return writeHostMetadata({ mark: { state: 'committed' }, fields: { ...record, sha256, md5 } });
}
