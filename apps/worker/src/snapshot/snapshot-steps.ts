import type { SyncSession } from '../sync-run/sync-session.js';
import { repeatDeletions } from './repeat-deletions.js';
import { restoreCatalog } from './restore-catalog.js';
import { snapshotAfterRun } from './snapshot-after-run.js';

/** What a sync does with snapshots before it looks at the host, and once it has ended well. */
export const snapshotSteps = {
  refill: async (session: SyncSession): Promise<void> => {
    await restoreCatalog(session);
    await repeatDeletions(session);
  },
  afterRun: snapshotAfterRun,
};
