import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '@holdfast/shared/errors';
import { claimKey, keyedMediaId, type ClaimReply, type Claims } from '@holdfast/shared/idempotency';
import type { Rebuilding } from '../media/rebuilding.js';
import { promptly } from './promptly.js';

export interface ClaimDependencies {
  claims: Claims;
  rebuilding: Rebuilding;
  /** See createIdSecret. */
  idSecret: () => Promise<Buffer>;
  /** How long a request waits for another one with the same key. */
  claimWaitMs: number;
}

export type TakenClaim = Extract<ClaimReply, { state: 'held' | 'done' }>;

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 500;

/**
 * The right to work under a client's key, or what came of an earlier request. Waits for one that is under way. Throws
 * IDEMPOTENCY_IN_PROGRESS after that, CATALOG_REBUILDING while claims may yet come back, QUEUE_UNAVAILABLE, or the reason
 * of the signal.
 */
export async function takeClaim(
  { claims, rebuilding, idSecret, claimWaitMs }: ClaimDependencies,
  client: string,
  key: string,
  signal: AbortSignal,
): Promise<TakenClaim> {
  const secret = await idSecret();
  const until = performance.now() + claimWaitMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const newId = keyedMediaId(secret, client, key, Date.now());
    const reply = await promptly(claims.claim(claimKey(client, key), newId, rebuilding.bornSeen()));
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
    const left = until - performance.now();
    if (left <= 0) {
      throw new HoldfastError('IDEMPOTENCY_IN_PROGRESS', undefined, {
        retryAfterSeconds: reply.leaseMs / 1_000,
      });
    }
    await pause(Math.min(pauseMs, left), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function beingRebuilt(): HoldfastError {
  return new HoldfastError('CATALOG_REBUILDING', 'whether this Idempotency-Key was used is not known yet');
}
