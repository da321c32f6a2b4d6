import { randomUUID } from 'node:crypto';
import type { ErrorCode } from '../errors/index.js';
import type { UploadClaim } from '../media/index.js';
import {
  fenceArgument,
  scriptEdge,
  unlessFenced,
  type LeaseToken,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';
import { claimScript, finishScript, releaseScript, renewScript, restoreScript } from './claim-scripts.js';

/** How long a try may go without a renewal before another one takes it over. */
export const CLAIM_LEASE_MS = 15_000;
/** How long a key stands for its request. */
export const CLAIM_KEPT_MS = 24 * 60 * 60 * 1_000;

/** The right to work under a key. */
export interface HeldClaim {
  /** See claimKey. */
  key: string;
  /** The media's id, the same for all tries that take over from each other. */
  id: string;
  token: string;
  /** True when an earlier try under this id may have left something. */
  takenOver: boolean;
}

/** What came of a finished request. */
export interface FinishedClaim {
  id: string;
  /** Fingerprint of the request. */
  print: string;
  /** The answer was an existing media. */
  duplicate: boolean;
}

/** What came of asking for a key. held: it is the caller's now; done: its request was answered before. */
export type ClaimReply =
  | { state: 'held'; claim: HeldClaim }
  | { state: 'done'; finished: FinishedClaim }
  /** Another try works under the key; its lease runs for so long. */
  | { state: 'running'; leaseMs: number }
  /** The catalog is not the one that the caller knows: Redis was emptied, and the claims with it. */
  | { state: 'emptied' };

/** A finished claim as its asset tells it, for a Redis that has forgotten it. */
export interface RestoredClaim extends UploadClaim {
  /** Of the media. */
  id: string;
  /** How much longer the key stands for its request. Must be above 0. */
  keepMs: number;
}

/**
 * One request under each Idempotency-Key: running with a lease, then done for a day. Every function throws `unavailable`
 * when Redis cannot serve.
 */
export function createClaims(
  redis: RedisClient,
  keys: RedisKeys,
  unavailable: ErrorCode = 'QUEUE_UNAVAILABLE',
) {
  const run = scriptEdge(redis, keys, unavailable);
  return {
    /** `newId` is for a first try. `born`: when the catalog began, as far as the caller knows. */
    claim: async (key: string, newId: string, born: string | null): Promise<ClaimReply> => {
      const token = randomUUID();
      const args = [key, newId, token, CLAIM_LEASE_MS, CLAIM_KEPT_MS, born ?? ''];
      const [state, first, second, third] = (await run(claimScript, args)) as [
        ClaimReply['state'],
        ...string[],
      ];
      switch (state) {
        case 'held':
          return { state, claim: { key, id: first ?? '', token, takenOver: second === 'again' } };
        case 'done':
          return { state, finished: { id: first ?? '', print: second ?? '', duplicate: third === '1' } };
        case 'running':
          return { state, leaseMs: Number(first) };
        case 'emptied':
          return { state };
      }
    },
    /** Moves the leases; false for those under whose id another try works. */
    renew: async (claims: readonly HeldClaim[]): Promise<boolean[]> => {
      if (claims.length === 0) return [];
      const triples = claims.flatMap(({ key, id, token }) => [key, id, token]);
      return ((await run(renewScript, [CLAIM_LEASE_MS, ...triples])) as number[]).map((held) => held === 1);
    },
    /**
     * The request under the key came to nothing. `keepId`: what it may have left is found by the next try under the same
     * id; else the next one begins anew. 'taken': another try works under this id, so nothing of it may be touched.
     */
    release: async ({ key, id, token }: HeldClaim, keepId: boolean): Promise<'released' | 'taken'> =>
      (await run(releaseScript, [key, id, token, keepId ? '1' : '0'])) as 'released' | 'taken',
    /** Remembers the answer. Accepted uploads are finished by the step that accepts them. */
    finish: async (
      claim: HeldClaim,
      { id, print, duplicate }: FinishedClaim,
    ): Promise<'finished' | 'taken'> => {
      const answer = [id, print, duplicate ? '1' : ''];
      const args = [claim.key, claim.id, claim.token, ...answer, CLAIM_KEPT_MS];
      return (await run(finishScript, args)) as 'finished' | 'taken';
    },
    /**
     * Answers how many were not known. Throws RUN_SUPERSEDED where the token is not the lease's: what its run saw on the host
     * may be gone by now, and would spend the key.
     */
    restore: async (claims: readonly RestoredClaim[], token: LeaseToken): Promise<number> => {
      if (claims.length === 0) return 0;
      const quadruples = claims.flatMap(({ key, id, print, keepMs }) => [key, id, print, Math.ceil(keepMs)]);
      return unlessFenced(await run(restoreScript, [fenceArgument(token), ...quadruples])) as number;
    },
  };
}

/** What `createClaims` gives. The API claims, renews and ends; syncs restore. */
export type Claims = ReturnType<typeof createClaims>;
