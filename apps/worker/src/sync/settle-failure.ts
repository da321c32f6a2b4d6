import { isHoldfastError, toHoldfastError } from '@holdfast/shared/errors';
import { HandBack } from '@holdfast/shared/jobs';
import { isCircuitOpen } from '@holdfast/shared/media-host';
import type { SyncRun } from '@holdfast/shared/sync';
import { LONGEST_WAIT_MS } from '../host-calls/call-budget.js';
import { hostRestMs } from '../host-calls/host-rest.js';
import type { JobContext } from '../job-run/job-handler.js';
import { checkpoint, countCalls, type SyncSession } from '../sync-run/sync-session.js';

const AFTER_SUPERSEDED_MS = 1_000;
const UNKNOWN_RESET_SECONDS = 60;
/**
 * A host that came back, or answers again sooner than it said, is asked well within a minute; an hour of asking in vain stays
 * below its hourly limit.
 */
const RECOVERY_AGAIN_MS = 30_000;

/**
 * What becomes of a run that could not go on, and the error with which its job ends. The run stays where it is for the
 * next try, and only the last attempt ends it as failed. A recovery outlasts any failure: until it has ended, what
 * the emptied catalog does not know is not unknown.
 */
export async function settleFailure(
  session: SyncSession,
  error: unknown,
  context: JobContext,
): Promise<unknown> {
  const { deps, log } = session;
  if (context.signal.aborted) return new HandBack('the worker is stopping', 0, error);
  if (session.signal.aborted || isHoldfastError(error, 'RUN_SUPERSEDED'))
    return new HandBack('another worker has the run', AFTER_SUPERSEDED_MS, error);
  // Without Redis there is nothing to write the state to; it says where the last page ended.
  if (isHoldfastError(error, 'CATALOG_UNAVAILABLE', 'QUEUE_UNAVAILABLE')) return error;

  session.running = structuredClone(session.safe);
  const { running } = session;
  const { code, message, retryAfterSeconds } = toHoldfastError(error);
  const nowMs = deps.now();
  // That it was not asked says nothing of why: what it said before does.
  if (running.run.lastError === null || !isCircuitOpen(error))
    running.run.lastError = { code, message, at: new Date(nowMs).toISOString() };
  const waitFor = async (reason: string, delayMs: number): Promise<HandBack> => {
    running.run.waitingUntil = new Date(nowMs + delayMs).toISOString();
    await checkpoint(session);
    log.warn('sync.waiting', { code, until: running.run.waitingUntil });
    return new HandBack(reason, delayMs, error);
  };
  if (code === 'HOST_RATE_LIMITED') {
    const longestMs = running.run.trigger === 'recovery' ? RECOVERY_AGAIN_MS : LONGEST_WAIT_MS;
    const delayMs = Math.min((retryAfterSeconds ?? UNKNOWN_RESET_SECONDS) * 1_000, longestMs);
    return waitFor('the media host asks to wait', delayMs);
  }
  const restMs = hostRestMs(error);
  if (restMs !== undefined) return waitFor('the media host does not answer', restMs);
  running.run.errors += 1;
  if (context.attempt < deps.settings.jobs.attempts) {
    await checkpoint(session);
    return error;
  }
  if (running.run.trigger === 'recovery') return waitFor('a recovery goes on later', RECOVERY_AGAIN_MS);
  countCalls(session);
  const finished: SyncRun = {
    ...running.run,
    result: 'failed',
    finishedAt: new Date(nowMs).toISOString(),
    durationMs: nowMs - Date.parse(running.run.startedAt),
  };
  await deps.state.finish(session.token, finished, {}, deps.host.budget());
  log.error('sync.failed', { code });
  return error;
}
