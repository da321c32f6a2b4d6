import { HoldfastError } from '@holdfast/shared/errors';
import type { Logger } from '@holdfast/shared/logging';
import { redisErrorKind, redisRefusal } from '@holdfast/shared/redis';

const QUIET_MS = 30_000;

/**
 * Logs errors of long-lived connections, each kind at most once in 30 s: an outage may raise thousands.
 * What is no matter of the connection is always logged.
 */
export function createErrorLog(log: Logger, event: string): (error: unknown) => void {
  const lastAt = new Map<string, number>();
  let suppressed = 0;
  return (error) => {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const kind = redisErrorKind(error instanceof HoldfastError ? error.cause : error);
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
