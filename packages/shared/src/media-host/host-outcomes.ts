import type { HoldfastError } from '../errors/index.js';
import type { Logger } from '../logging/index.js';
import { HostFailure } from './host-failure.js';
import type { HostHealth } from './media-host.js';

/** Remembers what recent calls showed, so that health is answered without a call. */
export interface HostOutcomes {
  readonly answered: () => void;
  readonly failed: (error: HoldfastError) => void;
  readonly health: () => HostHealth;
}

/** `now` gives milliseconds since the epoch. Logs only when the host goes away or comes back. */
export function createHostOutcomes(now: () => number, log: Logger): HostOutcomes {
  let reachable: boolean | null = null;
  let successAt: number | null = null;
  let failureAt: number | null = null;
  let failing: HostHealth['failing'] = null;
  let lastErrorCode: string | null = null;
  return {
    answered: () => {
      if (reachable === false) log.info('host.recovered');
      reachable = true;
      failing = null;
      successAt = now();
    },
    failed: ({ code, message, cause }) => {
      if (reachable !== false) log.warn('host.failing', { code });
      reachable = false;
      failureAt = now();
      lastErrorCode = code;
      failing = {
        since: failing?.since ?? new Date(failureAt).toISOString(),
        message,
        refusesCredentials: cause instanceof HostFailure && cause.refusesCredentials,
      };
    },
    health: () => ({
      reachable,
      lastSuccessAt: iso(successAt),
      lastFailureAt: iso(failureAt),
      lastErrorCode,
      failing,
      circuit: 'closed',
    }),
  };
}

function iso(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
