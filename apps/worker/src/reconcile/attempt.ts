import { isHoldfastError, type ErrorCode } from '@holdfast/shared/errors';
import { addCounts, type StepSession } from '../sync-run/sync-session.js';

/** Without these no other asset fares better. */
const endsTheRun: ReadonlySet<ErrorCode> = new Set(['CATALOG_UNAVAILABLE', 'QUEUE_UNAVAILABLE']);

/** One asset that cannot be mended does not hold up the others; the next run tries again. */
export async function attempt(session: StepSession, id: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (session.signal.aborted || !isHoldfastError(error) || endsTheRun.has(error.code)) throw error;
    session.undone.set(id, 'failed');
    session.log.warn('sync.asset_failed', { id, code: error.code });
    addCounts(session.running.run, { errors: 1 });
  }
}
