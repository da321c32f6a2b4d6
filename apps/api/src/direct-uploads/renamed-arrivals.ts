import type { Ticket, Tickets } from '@holdfast/shared/direct-uploads';
import { HoldfastError, isHoldfastError } from '@holdfast/shared/errors';
import { readHostMetadata } from '@holdfast/shared/media';
import { isHalfSpent, type MediaHost } from '@holdfast/shared/media-host';

/** A ticket's file that is not under its name may be under another one, which the account gave it. */
export interface RenamedArrivals {
  /** Throws HOST_ALTERS_UPLOADS once that is known; the asset is then removed. Looks seldom, since a look is a metered call; one that fails shows nothing. */
  refuse(id: string, ticket: Pick<Ticket, 'altered'>): Promise<void>;
}

const LOOK_EVERY_MS = 30_000;
/** The client waits for it. */
const LOOK_WITHIN_MS = 10_000;
/** As long as a ticket is good for, and some more for a slow transfer. */
const LOOK_BACK_MS = 60 * 60_000;
const PAGE = 500;

export function createRenamedArrivals(deps: {
  host: Pick<MediaHost, 'budget' | 'changes' | 'hostNow' | 'remove'>;
  tickets: Pick<Tickets, 'noteAltered'>;
  now?: () => number;
}): RenamedArrivals {
  const { host, tickets, now = Date.now } = deps;
  let lookedAt = -Infinity;
  return {
    refuse: async (id, { altered }) => {
      if (altered === true) throw alters();
      if (now() - lookedAt < LOOK_EVERY_MS || isHalfSpent(host.budget())) return;
      lookedAt = now();
      const since = new Date(host.hostNow() - LOOK_BACK_MS);
      const signal = AbortSignal.timeout(LOOK_WITHIN_MS);
      const page = await host
        .changes({ since, cursor: null, limit: PAGE, signal })
        .catch((error: unknown) => {
          if (isHoldfastError(error) || signal.aborted) return null;
          throw error;
        });
      for (const asset of page?.assets ?? []) {
        const carried = readHostMetadata(asset);
        if (carried?.fields.id !== id || carried.mark.state !== 'ticket') continue;
        await host.remove(asset, signal);
        await tickets.noteAltered(id);
        throw alters();
      }
    },
  };
}

function alters(): HoldfastError {
  return new HoldfastError(
    'HOST_ALTERS_UPLOADS',
    'the account stored the file under another name: remove the folder or prefix from its default upload preset',
  );
}
