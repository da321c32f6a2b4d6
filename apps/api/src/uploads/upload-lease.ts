import type { IncomingMessage } from 'node:http';
import { HoldfastError } from '@holdfast/foundation/errors';
import { CLAIM_LEASE_MS, type Claims, type HeldClaim } from '@holdfast/shared/idempotency';
import { ACKNOWLEDGE_WITHIN_MS, type Intents } from '@holdfast/shared/intents';
import type { Logger } from '@holdfast/foundation/logging';
import { SLOWEST_BYTES_PER_SECOND } from '@holdfast/shared/media';
import type { Shutdown } from '../http/shutdown.js';

const CHECK_EVERY_MS = 5_000;
/** Before the lease of a claim expires, with room for a removal. */
const CLAIM_SURE_MS = CLAIM_LEASE_MS - 5_000;
const SILENT_MS = 15_000;
const START_MS = 60_000;

/** What an upload holds in Redis. */
interface Held {
  id: string;
  /** Of an upload with an Idempotency-Key. */
  claim: HeldClaim | null;
  /** When Redis was asked to open the intent, by `performance.now()`. */
  openedAt: number;
}

export interface UploadLease {
  /** Whether the upload may be acknowledged without asking Redis again: nobody removes its asset, or takes it over, before. */
  isFresh: () => boolean;
  end(): void;
}

/** What keeps uploads alive, and ends those that cannot go on. */
export interface UploadLeases {
  /**
   * Until `end`, keeps alive what the upload holds in Redis, and aborts `cancel` with the reason when the client is gone or too
   * slow, the process ends, the sweep has given the upload up, or another try has its claim. A body that is only read holds nothing.
   */
  begin(req: IncomingMessage, cancel: AbortController, held: Held | null): UploadLease;
  /** Uploads under way. */
  size(): number;
}

interface Entry {
  readonly held: Held | null;
  readonly cancel: AbortController;
  readonly isTooSlow: () => boolean;
  acknowledgedAt: number;
}

/** One timer for all uploads, and one command for all intents, only while there are any. */
export function createUploadLeases(deps: {
  intents: Pick<Intents, 'beat'>;
  claims: Pick<Claims, 'renew'>;
  shutdown: Pick<Shutdown, 'cut'>;
  log: Logger;
}): UploadLeases {
  const { intents, claims, shutdown, log } = deps;
  const running = new Set<Entry>();
  let timer: NodeJS.Timeout | undefined;

  const beat = async (entries: readonly (Entry & { held: Held })[]): Promise<void> => {
    const keyed = entries.flatMap(({ held }) => held.claim ?? []);
    const askedAt = performance.now();
    try {
      const [states, renewed] = await Promise.all([
        intents.beat(entries.map(({ held }) => held.id)),
        claims.renew(keyed),
      ]);
      const lost = new Set(keyed.filter((_, index) => renewed[index] === false));
      for (const [index, entry] of entries.entries()) {
        if (states[index] === 'live') entry.acknowledgedAt = askedAt;
        if (states[index] === 'dead' || (entry.held.claim !== null && lost.has(entry.held.claim)))
          entry.cancel.abort(new HoldfastError('UPLOAD_EXPIRED'));
      }
    } catch (error) {
      // Redis is away: the acknowledgements grow old by themselves, and isFresh says so.
      log.debug('upload.heartbeat_failed', { error });
    }
  };
  const check = (): void => {
    for (const { isTooSlow, cancel } of running)
      if (isTooSlow()) cancel.abort(new HoldfastError('REQUEST_TIMEOUT'));
    const holding = [...running].filter((entry): entry is Entry & { held: Held } => entry.held !== null);
    if (holding.length > 0) void beat(holding);
  };
  shutdown.cut.addEventListener('abort', () => {
    for (const { cancel } of running) cancel.abort(new HoldfastError('SHUTTING_DOWN'));
  });

  return {
    begin: (req, cancel, held) => {
      const entry: Entry = {
        held,
        cancel,
        isTooSlow: watchPace(req),
        acknowledgedAt: held?.openedAt ?? -Infinity,
      };
      const hasClaim = held !== null && held.claim !== null;
      const sureMs = hasClaim ? CLAIM_SURE_MS : ACKNOWLEDGE_WITHIN_MS;
      const onAborted = (): void => cancel.abort(new HoldfastError('CLIENT_ABORTED'));
      req.once('aborted', onAborted);
      running.add(entry);
      timer ??= setInterval(check, CHECK_EVERY_MS);
      // What happened during admission is not announced again.
      if (req.destroyed && !req.readableEnded) onAborted();
      if (shutdown.cut.aborted) cancel.abort(new HoldfastError('SHUTTING_DOWN'));
      return {
        isFresh: () => running.has(entry) && performance.now() - entry.acknowledgedAt < sureMs,
        end: () => {
          req.off('aborted', onAborted);
          running.delete(entry);
          if (running.size > 0) return;
          clearInterval(timer);
          timer = undefined;
        },
      };
    },
    size: () => running.size,
  };
}

/**
 * Whether a client has stopped sending since the last call, or sends so slowly that the upload would never end. Time in which
 * we ourselves do not read, because the host is slower than the client, does not count as silence.
 */
function watchPace(req: IncomingMessage): () => boolean {
  const { socket } = req;
  const startedAt = performance.now();
  const bytesAtStart = socket.bytesRead;
  let lastBytes = bytesAtStart;
  let movedAt = startedAt;
  return () => {
    if (req.complete) return false;
    const now = performance.now();
    const hostIsBusy = req.readableLength > 0 && !req.destroyed;
    if (socket.bytesRead !== lastBytes || hostIsBusy) {
      lastBytes = socket.bytesRead;
      movedAt = now;
    }
    const allowedMs = START_MS + ((lastBytes - bytesAtStart) / SLOWEST_BYTES_PER_SECOND) * 1_000;
    return now - movedAt >= SILENT_MS || (!hostIsBusy && now - startedAt > allowedMs);
  };
}
