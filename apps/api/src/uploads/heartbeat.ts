import { performance } from 'node:perf_hooks';
import { HoldfastError } from '@holdfast/shared/errors';
import { CLAIM_LEASE_MS, type Claims, type HeldClaim } from '@holdfast/shared/idempotency';
import { ACKNOWLEDGE_WITHIN_MS, type Intents } from '@holdfast/shared/intents';
import type { Logger } from '@holdfast/shared/logging';

const BEAT_EVERY_MS = 5_000;

/** Before the lease of a claim runs out, with room for a removal. */
const CLAIM_SURE_MS = CLAIM_LEASE_MS - 5_000;

/** The heartbeat of one upload. */
export interface Beating {
  /** True while an upload may be acknowledged without asking Redis again: nobody destroys its asset, or takes it over, before. */
  isFresh(): boolean;
  end(): void;
}

export interface Heartbeat {
  /**
   * Begins to beat for an intent, and a claim, that Redis has acknowledged. `openedAt`: when it was asked to open the intent, by
   * `performance.now()`. `giveUp` is called when the sweep declared the intent dead, or another try has the claim.
   */
  begin(
    upload: { id: string; claim: HeldClaim | null },
    openedAt: number,
    giveUp: (reason: HoldfastError) => void,
  ): Beating;
  /** Uploads under way. */
  size(): number;
}

interface Entry {
  readonly id: string;
  readonly claim: HeldClaim | null;
  readonly giveUp: (reason: HoldfastError) => void;
  acknowledgedAt: number;
}

/** Keeps the intents of running uploads alive, all in one command, and only while there are any; claims likewise. */
export function createHeartbeat(
  intents: Pick<Intents, 'beat'>,
  claims: Pick<Claims, 'renew'>,
  log: Logger,
): Heartbeat {
  const running = new Set<Entry>();
  let timer: NodeJS.Timeout | undefined;

  const beat = async (): Promise<void> => {
    const entries = [...running];
    const keyed = entries.flatMap(({ claim }) => claim ?? []);
    const askedAt = performance.now();
    try {
      const [states, held] = await Promise.all([
        intents.beat(entries.map(({ id }) => id)),
        claims.renew(keyed),
      ]);
      const lost = new Set(keyed.filter((_, index) => held[index] === false));
      for (const [index, entry] of entries.entries()) {
        if (states[index] === 'live') entry.acknowledgedAt = askedAt;
        if (states[index] === 'dead' || (entry.claim !== null && lost.has(entry.claim)))
          entry.giveUp(new HoldfastError('UPLOAD_EXPIRED'));
      }
    } catch (error) {
      // Redis is away: the acknowledgements grow old by themselves, and isFresh says so.
      log.debug('upload.heartbeat_failed', { error });
    }
  };

  return {
    begin: ({ id, claim }, openedAt, giveUp) => {
      const entry: Entry = { id, claim, giveUp, acknowledgedAt: openedAt };
      const sureMs = claim === null ? ACKNOWLEDGE_WITHIN_MS : CLAIM_SURE_MS;
      running.add(entry);
      timer ??= setInterval(() => void beat(), BEAT_EVERY_MS);
      return {
        isFresh: () => running.has(entry) && performance.now() - entry.acknowledgedAt < sureMs,
        end: () => {
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
