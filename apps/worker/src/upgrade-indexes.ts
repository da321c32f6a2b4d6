import type { Catalog } from '@holdfast/shared/catalog';
import { createBackoff, service, withinMs, type Service } from '@holdfast/shared/lifecycle';
import type { Logger } from '@holdfast/shared/logging';

const STOP_WITHIN_MS = 2_000;

/**
 * Makes the indexes of a catalog that version 0.1.0 left, once, beside all other work. Lists say `rebuilding` until it has
 * ended. Tries again for as long as Redis does not answer.
 */
export function upgradeIndexes(
  catalog: Pick<Catalog, 'hasOldIndexes' | 'repairIndexes'>,
  log: Logger,
): Service {
  const stopping = new AbortController();
  const backoff = createBackoff();
  let upgrading: Promise<void> | undefined;

  async function upgrade(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        if (!(await catalog.hasOldIndexes())) return;
        log.info('indexes.upgrading');
        const entries = await catalog.repairIndexes(stopping.signal);
        log.info('indexes.upgraded', { entries });
        return;
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.warn('indexes.not_upgraded', { error });
        await backoff.rest(stopping.signal);
      }
    }
  }

  return service('index upgrade', {
    start: () => {
      upgrading = upgrade();
    },
    stop: async () => {
      stopping.abort();
      // What waits for a Redis that does not answer fails when its connection ends.
      await withinMs(STOP_WITHIN_MS, upgrading ?? Promise.resolve(), undefined);
    },
  });
}
