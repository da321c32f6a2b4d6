import type { Catalog } from '@holdfast/shared/catalog';
import { createBackoff } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import type { MediaHost } from '@holdfast/shared/media-host';
import type { SyncState } from '@holdfast/shared/sync';

/** What `watchRebuilding` gives. */
export type Rebuilding = ReturnType<typeof watchRebuilding>;

/**
 * Whether an emptied catalog is being refilled at this moment: from its loss until a full run has listed the whole host. A loss shows
 * by another epoch than the one this process knew, or by a host that has files although no full run has ended. On as well while a
 * catalog that had been filled is recovered. Off when Redis does not answer. `isNew` tells a new catalog from an emptied one as long
 * as no full run has ended.
 */
export function watchRebuilding(
  syncState: Pick<SyncState, 'readRefill'>,
  catalog: Pick<Catalog, 'epoch'>,
  isNew: () => Promise<boolean>,
) {
  let epoch: string | null = null;
  // Stays true: a catalog that had something to lose is not a new one.
  let lost = false;
  /** With growing pauses, so that a deployment without workers rarely asks. */
  const awaitEpoch = async (signal: AbortSignal): Promise<void> => {
    for (const rests = createBackoff(); epoch === null && !signal.aborted;) {
      await rests.rest(signal);
      const read = await catalog.epoch().catch(() => null);
      // One that was read in the meantime may be an earlier one.
      epoch ??= read;
    }
  };
  return {
    /** The epoch of the catalog as this process last read it; null before the first time. */
    knownEpoch: () => epoch,
    isOn: async (): Promise<boolean> => {
      const [refill, read] = await Promise.all([
        syncState.readRefill().catch(() => null),
        catalog.epoch().catch(() => undefined),
      ]);
      if (read !== undefined && epoch !== null && read !== epoch) lost = true;
      // Without an answer it is unknown whether the catalog was refilled, so its epoch stays unknown too.
      if (typeof read === 'string' && refill !== null) epoch = read;
      // What completed runs left is lost together with the catalog.
      const run = refill?.running?.run;
      const recovery = run?.trigger === 'recovery' ? run : null;
      if (refill?.lastFullAt !== null) return recovery !== null;
      // The first run of a new deployment is called a recovery, too, but brings nothing back.
      return lost || (recovery !== null && recovery.created > 0) || !(await isNew());
    },
    /**
     * Reads the epoch of the catalog at the start of the process, so that uploads do not make a new catalog look emptied. If no
     * worker has set it yet, it is looked for until the signal aborts: the catalog may be emptied before anybody asks.
     */
    begin: async (signal: AbortSignal): Promise<void> => {
      const read = await catalog.epoch().catch(() => undefined);
      epoch = read ?? null;
      if (read === null) await isNew();
      void awaitEpoch(signal);
    },
  };
}

const ANSWER_WITHIN_MS = 1_500;
const ASK_AGAIN_MS = 10_000;

/**
 * Answers whether the host was empty when it was first asked; false as well while it does not answer. Asks the host once, by one
 * metered call, and again only if it did not answer. Later uploads change nothing.
 */
export function watchNewCatalog(host: Pick<MediaHost, 'changes'>, log: Logger): () => Promise<boolean> {
  let known: { answer: Promise<boolean | null>; askedAt: number } | undefined;
  const ask = async (): Promise<boolean | null> => {
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
      const page = await host.changes({ since: new Date(0), cursor: null, limit: 1, signal });
      return page.assets.length === 0 && page.unreadable.length === 0 && page.nextCursor === null;
    } catch (error) {
      log.warn('catalog.beginning_unknown', { error });
      return null;
    }
  };
  return async () => {
    const now = performance.now();
    if (known === undefined || ((await known.answer) === null && now - known.askedAt > ASK_AGAIN_MS))
      known = { answer: ask(), askedAt: now };
    return (await known.answer) ?? false;
  };
}
