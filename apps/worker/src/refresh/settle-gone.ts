import type { StoredRecord } from '@holdfast/shared/catalog';
import { HandBack } from '@holdfast/shared/jobs';
import { finishRemoval } from '@holdfast/shared/removal';
import type { JobContext } from '../job-run/job-handler.js';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';

/** What is just being saved, or listed, is waited for, but not for ever: a full sync comes anyway. */
export const WAIT_MS = 60_000;
export const AGAIN_MS = 2_000;

/** The host says that it deleted these, and has confirmed that they are gone: missing, or finally deleted where that was asked for here. */
export async function settleGone(
  records: readonly StoredRecord[],
  { catalog, now, deletionNotes }: Pick<SyncDependencies, 'catalog' | 'now' | 'deletionNotes'>,
  receivedAt: number,
  { signal, log }: Pick<JobContext, 'signal' | 'log'>,
): Promise<void> {
  for (const { id, record } of records.filter(({ status }) => status === 'deleting')) {
    await deletionNotes.add(id, signal);
    await finishRemoval(catalog, id, record.assetId);
  }
  const gone = records.filter(({ status }) => status === 'verified' || status === 'failed');
  if (gone.length > 0) {
    await catalog.markMissing(
      gone.map(({ id }) => id),
      null,
    );
    log.warn('refresh.media_missing', { ids: gone.map(({ id }) => id) });
  }
  const saving = records.some(({ status }) => status === 'saving');
  if (saving && now() - receivedAt < WAIT_MS)
    throw new HandBack('the record of a deleted asset is being saved', AGAIN_MS);
}
