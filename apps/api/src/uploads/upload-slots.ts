import type { IncomingMessage } from 'node:http';
import { HoldfastError } from '@holdfast/shared/errors';
import { SLOWEST_BYTES_PER_SECOND } from '@holdfast/shared/media';
import { createShares } from '../http/shares.js';

/** One upload's place among those that run. */
export interface UploadSlot {
  /** Gives it back, once however often it is called. */
  leave(): void;
  /** Aborts with the reason when the place goes to another client. */
  givenUp: AbortSignal;
}

/** How many uploads this process carries at once. */
export interface UploadSlots {
  readonly running: number;
  /** Whether a client that sends nothing yet would be refused. */
  readonly full: boolean;
  /** Null where this client gets no slot. */
  take(client: string, req: IncomingMessage): UploadSlot | null;
}

/** A client may begin slowly for so long, even where others wait. */
const MAY_CRAWL_MS = 10_000;

export function createUploadSlots(max: number): UploadSlots {
  const shares = createShares(max);
  return {
    get running() {
      return shares.running;
    },
    get full() {
      return !shares.admits('');
    },
    take: (client, req) => {
      const given = new AbortController();
      const { socket } = req;
      const [startedAt, bytesAtStart] = [performance.now(), socket.bytesRead];
      /** Bytes a second that the client sends; what has arrived whole, or waits for the host, keeps nobody waiting. */
      const pace = (): number =>
        req.complete || req.readableLength > 0
          ? Infinity
          : ((socket.bytesRead - bytesAtStart) * 1_000) / (performance.now() - startedAt);
      const leave = shares.take(client, {
        giveUp: () =>
          given.abort(
            new HoldfastError('OVERLOADED', 'too many uploads at once, and this one was the slowest'),
          ),
        pace,
        crawls: () => performance.now() - startedAt > MAY_CRAWL_MS && pace() < SLOWEST_BYTES_PER_SECOND,
      });
      return leave === null ? null : { leave, givenUp: given.signal };
    },
  };
}
