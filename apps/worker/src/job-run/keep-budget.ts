import type { JobName } from '@holdfast/shared/jobs';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { SyncState } from '@holdfast/shared/sync';
import type { JobHandler } from './job-handler.js';

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
