import type { JobName } from '@holdfast/shared/jobs';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { SyncState } from '@holdfast/shared/sync';
import type { Dependencies } from './dependencies.js';
import type { JobHandler, JobHandlers } from './job-run/run-job.js';
import { createPushMedia, createRemoveMedia } from './push-and-remove.js';
import { createRefreshAssets } from './refresh/refresh-assets.js';
import { createSaveMedia } from './save/save-media.js';
import { createSyncHandler } from './sync/run-sync.js';
import { createVerifyMedia } from './verify/verify-media.js';

/** Which handler runs which job: the map of the worker. A job without one does not compile. */
export function createHandlers(deps: Dependencies): JobHandlers {
  return {
    save: createSaveMedia(deps),
    verify: createVerifyMedia({
      ...deps,
      serverJudged: () => deps.server.judged(),
      afterUpload: (record) => {
        deps.syncRequests.afterUpload();
        deps.delivery.verified(record);
      },
    }),
    push: createPushMedia(deps),
    remove: keepBudget(deps.sync, createRemoveMedia(deps)),
    refresh: keepBudget(deps.sync, createRefreshAssets(deps.sync)),
    sync: createSyncHandler(deps.sync),
  };
}

/** Runs the job, and keeps for status what the host said of its calls where the job made metered ones. */
export function keepBudget<Name extends JobName>(
  { host, state }: { host: Pick<MediaHost, 'budget' | 'meteredCalls'>; state: Pick<SyncState, 'noteBudget'> },
  handler: JobHandler<Name>,
): JobHandler<Name> {
  return async (payload, context) => {
    const calls = host.meteredCalls();
    try {
      await handler(payload, context);
    } finally {
      if (host.meteredCalls() > calls) await state.noteBudget(host.budget()).catch(() => undefined);
    }
  };
}
