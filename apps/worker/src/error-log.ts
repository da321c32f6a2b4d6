import { ErrorCode } from 'bullmq';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { redisErrorKind, redisRefusal } from '@holdfast/shared/redis';

const QUIET_MS = 30_000;
/** The codes of BullMQ for a job, or a lock on it, that is gone: Redis was emptied or restarted, or another worker has taken it. */
const JOB_LOST: readonly unknown[] = [
  ErrorCode.JobNotExist,
  ErrorCode.JobLockNotExist,
  ErrorCode.JobLockMismatch,
];

/**
 * Logs errors of long-lived connections and lost jobs, each kind at most once in 30 s: an outage may raise thousands.
 * Other errors are always logged.
 */
export function createErrorLog(log: Logger, event: string): (error: unknown) => void {
  const lastAt = new Map<string, number>();
  let suppressed = 0;
  return (error) => {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const isJobLost = error instanceof Error && 'code' in error && JOB_LOST.includes(error.code);
    const kind = isJobLost
      ? 'job_lost'
      : redisErrorKind(error instanceof HoldfastError ? error.cause : error);
    const refusal = redisRefusal(error);
    const key = kind === 'fatal' ? message : (refusal ?? kind);
    const now = performance.now();
    if (now - (lastAt.get(key) ?? -Infinity) < QUIET_MS) {
      suppressed += 1;
      return;
    }
    if (lastAt.size > 100) lastAt.clear();
    lastAt.set(key, now);
    log[kind === 'fatal' ? 'error' : 'warn'](event, {
      kind,
      ...(refusal === null ? {} : { refusal }),
      suppressed,
      error: { name, message },
    });
    suppressed = 0;
  };
}
