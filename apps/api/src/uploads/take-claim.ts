import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '@holdfast/shared/errors';
import { claimKey, keyedMediaId, type ClaimReply, type Claims } from '@holdfast/shared/idempotency';
import type { Shares } from '../http/shares.js';
import type { Rebuilding } from '../media/rebuilding.js';
import { promptly } from './promptly.js';

export interface ClaimDependencies {
  claims: Claims;
  rebuilding: Rebuilding;
  /** See createIdSecret. */
  idSecret: () => Promise<Buffer>;
  /** How long a request waits for another one with the same key. */
  claimWaitMs: number;
  /** Those that wait so. */
  waiters: Shares;
}

export type TakenClaim = Extract<ClaimReply, { state: 'held' | 'done' }>;

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 500;

/** Whose key it is, and whose place among those that wait. */
export interface ClaimRequest {
  client: string;
  key: string;
  waiter: string;
}

/**
 * The right to work under a client's key, or what came of an earlier request. Waits for one that is under way. Throws
 * IDEMPOTENCY_IN_PROGRESS after that, or at once where too many wait, CATALOG_REBUILDING while claims may yet come back,
 * QUEUE_UNAVAILABLE, or the reason of the signal.
 */
export async function takeClaim(
  { claims, rebuilding, idSecret, claimWaitMs, waiters }: ClaimDependencies,
  { client, key, waiter }: ClaimRequest,
  signal: AbortSignal,
): Promise<TakenClaim> {
  const secret = await idSecret();
  const until = performance.now() + claimWaitMs;
  const outOfPlace = new AbortController();
  let leave: (() => void) | null = null;
  try {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
      const newId = keyedMediaId(secret, client, key, Date.now());
      const asked = claims.claim(claimKey(client, key), newId, rebuilding.bornSeen());
      const reply = await promptly(asked).catch((error: unknown) => {
        void giveBack(claims, asked);
        throw error;
      });
      if (reply.state === 'emptied') {
        const before = rebuilding.bornSeen();
        // Looks at the catalog that there is now: it may have been refilled since, and the keys with it.
        if ((await rebuilding.isOn()) || rebuilding.bornSeen() === before) throw beingRebuilt();
        continue;
      }
      if (reply.state === 'done') return reply;
      if (reply.state === 'held') {
        // A key that Redis does not know may be one that it has forgotten.
        if (reply.claim.takenOver || !(await rebuilding.isOn())) return reply;
        await claims.release(reply.claim, false);
        throw beingRebuilt();
      }
      leave ??= waiters.take(waiter, { giveUp: () => outOfPlace.abort() });
      const left = until - performance.now();
      if (left <= 0 || leave === null || outOfPlace.signal.aborted) {
        throw new HoldfastError('IDEMPOTENCY_IN_PROGRESS', undefined, {
          retryAfterSeconds: reply.leaseMs / 1_000,
        });
      }
      const ended = AbortSignal.any([signal, outOfPlace.signal]);
      await pause(Math.min(pauseMs, left), undefined, { signal: ended }).catch(() => signal.throwIfAborted());
    }
  } finally {
    leave?.();
  }
}

/** Refused already: the next try would wait for the lease. Where Redis does not answer at all, it runs out. */
async function giveBack(claims: Claims, asked: Promise<ClaimReply>): Promise<void> {
  try {
    const reply = await asked;
    if (reply.state === 'held') await claims.release(reply.claim, reply.claim.takenOver);
  } catch {
    // Redis is away.
  }
}

function beingRebuilt(): HoldfastError {
  return new HoldfastError('CATALOG_REBUILDING', 'whether this Idempotency-Key was used is not known yet');
}
