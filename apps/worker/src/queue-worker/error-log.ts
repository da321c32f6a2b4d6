import { HoldfastError } from '@holdfast/shared/errors';
import type { Logger } from '@holdfast/shared/logging';
import { redisErrorKind } from '@holdfast/shared/redis';

const QUIET_MS = 30_000;

/**
 * Logs errors of long-lived connections, each kind at most once in 30 s: an outage may raise thousands.
 * What is no matter of the connection is always logged.
 */
export function createErrorLog(log: Logger, event: string): (error: Error) => void {
  const lastAt = new Map<string, number>();
  let suppressed = 0;
  return (error) => {
    const kind = redisErrorKind(error instanceof HoldfastError ? error.cause : error);
    const key = kind === 'fatal' ? error.message : kind;
    const now = performance.now();
    if (now - (lastAt.get(key) ?? -Infinity) < QUIET_MS) {
      suppressed += 1;
      return;
    }
    if (lastAt.size > 100) lastAt.clear();
    lastAt.set(key, now);
    log[kind === 'fatal' ? 'error' : 'warn'](event, {
      kind,
      suppressed,
      error: { name: error.name, message: error.message },
    });
    suppressed = 0;
  };
}
