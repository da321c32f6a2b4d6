import type { Dependencies } from './dependencies.js';
import type { JobHandler, JobHandlers } from './run-job.js';
import { createPushMedia, createRemoveMedia } from './push-and-remove.js';
import { createRefreshAssets } from './refresh/refresh-assets.js';
import { createSaveMedia, createVerifyMedia } from './save-and-verify.js';
import { createSyncHandler } from './sync/run-sync.js';
import type { SyncDependencies } from './sync-run/sync-session.js';

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
    refresh: createRefreshAssets(deps.sync),
    sync: createSyncHandler(deps.sync),
  };
}

/** Keeps for status what the host said where a removal asked for an asset by its id, which is a metered call. */
export function keepBudget(
  { host, state }: Pick<SyncDependencies, 'host' | 'state'>,
  handler: JobHandler<'remove'>,
): JobHandler<'remove'> {
  return async (payload, context) => {
    const calls = host.meteredCalls();
    try {
      await handler(payload, context);
    } finally {
      if (host.meteredCalls() > calls) await state.noteBudget(host.budget()).catch(() => undefined);
    }
  };
}
