import type { JobContext } from '../job-run/job-handler.js';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';
import type { StepSession } from '../sync-run/sync-session.js';
import { beginRun } from '../sync/begin-run.js';

const noMarks = { watermark: null, lastFullAt: null, lookedAt: null };

/**
 * What the steps of a sync need, for a few assets outside of any run: nothing of it is stored. It holds no lease, so its
 * writes carry no token; it and a run at work each write only over what they have read.
 */
export function oneOffSession(
  deps: SyncDependencies,
  { signal, log }: Pick<JobContext, 'signal' | 'log'>,
): StepSession {
  const running = beginRun({
    payload: { trigger: 'webhook', mode: 'incremental', dryRun: false, force: false },
    marks: noMarks,
    lastSequence: 0,
    lastListed: null,
    fullIntervalHours: deps.settings.sync.fullIntervalHours,
    nowMs: deps.now(),
  });
  return {
    deps,
    token: null,
    running,
    undone: new Map(),
    signal,
    log,
  };
}
