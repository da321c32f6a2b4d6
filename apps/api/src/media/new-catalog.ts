import type { Logger } from '@holdfast/shared/logging';
import type { MediaHost } from '@holdfast/shared/media-host';

/** Tells a catalog that is new from one that was emptied, where nobody has looked at the whole host yet. */
export interface NewCatalog {
  /**
   * True when the host had nothing, when it was first asked, that could come into the catalog. False also while it does
   * not say.
   */
  isNew(): Promise<boolean>;
}

const ANSWER_WITHIN_MS = 1_500;
const ASK_AGAIN_MS = 10_000;

/** Asks the host once, by one metered call, and again only while it does not answer. What is uploaded later changes nothing. */
export function watchNewCatalog(
  host: Pick<MediaHost, 'changes'>,
  log: Logger,
  now: () => number = () => performance.now(),
): NewCatalog {
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
  return {
    isNew: async () => {
      if (known === undefined || ((await known.answer) === null && now() - known.askedAt > ASK_AGAIN_MS))
        known = { answer: ask(), askedAt: now() };
      return (await known.answer) ?? false;
    },
  };
}
