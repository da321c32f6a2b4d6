import type { ErrorCode } from '@holdfast/foundation/errors';
import { createBatch } from '../batch/index.js';
import {
  membersOf,
  redisEdge,
  scriptEdge,
  type RedisClient,
  type RedisKeys,
  type ScriptArgument,
} from '../redis/index.js';
import {
  abandonScript,
  acceptArguments,
  acceptScript,
  beatScript,
  buryScript,
  describeScript,
  dropScript,
  killScript,
  openScript,
  retryScript,
  reviveScript,
  staleScript,
  type Acceptance,
} from './intent-scripts.js';

/** live: its upload runs; settled: accepted, not yet verified; dead: given up, its asset may be destroyed; absent. */
export type IntentState = 'live' | 'settled' | 'dead' | 'absent';

/** An intent without a heartbeat for a while, as the sweep finds it. */
export interface StaleIntent {
  id: string;
  /** `absent`, with an empty public id, where only its heartbeat is left. */
  state: IntentState;
  publicId: string;
  /** How often the jobs of a settled intent have been added again. */
  tries: number;
}

/**
 * unqueued: accepted, but a job could not be added: the sweep does it half a minute later. dead: the sweep gave the upload
 * up, or another try has the claim: it must not be acknowledged. tombstoned: the media was deleted, and stays so.
 */
export type AcceptOutcome = 'accepted' | 'unqueued' | 'dead' | 'tombstoned';

/** Whether the upload counts. */
export function isAccepted(outcome: AcceptOutcome): boolean {
  return outcome === 'accepted' || outcome === 'unqueued';
}

type OpenOutcome = 'opened' | 'overloaded';

/** A live intent without a heartbeat for this long may be given up by anyone (docs/architecture.md, crash windows). */
const INTENT_STALE_MS = 30_000;
/** What a connection that is gone had sent is read within moments once the server runs again. */
const LATE_ACCEPTANCE_MS = 60_000;
/** A 202 may be sent only this long after the last heartbeat that Redis acknowledged. */
export const ACKNOWLEDGE_WITHIN_MS = 20_000;

/** Others wait for Redis meanwhile: 4 ms, and 20 to 80 with as many tags as a record may have. */
const forClients = { atMost: 16, overlapping: true };

/**
 * What is under way: written before the first byte goes to the host, kept until the media is verified, so that a sweep
 * can finish or undo whatever a crash left between. Every function throws `unavailable` when Redis cannot serve.
 */
export function createIntents(
  redis: RedisClient,
  keys: RedisKeys,
  unavailable: ErrorCode = 'QUEUE_UNAVAILABLE',
) {
  const edge = redisEdge(unavailable);
  const run = scriptEdge(redis, keys, unavailable);
  const openMany = createBatch(
    async (uploads: ScriptArgument[][]) => (await run(openScript, uploads.flat())) as OpenOutcome[],
    forClients,
  );
  const acceptMany = createBatch(
    async (uploads: ScriptArgument[][]) => (await run(acceptScript, uploads.flat())) as AcceptOutcome[],
    forClients,
  );
  return {
    /**
     * Also the probe that Redis takes writes: nothing is read from a client before it has answered.
     * Overloaded: too many jobs wait, or an earlier try under this id is just being undone. Try again later.
     */
    open: (id: string, publicId: string, maxBacklog: number): Promise<OpenOutcome> =>
      openMany([id, publicId, maxBacklog]),
    /** Notes the public id once the kind of the file is known (raw files carry an extension). */
    describe: async (id: string, publicId: string): Promise<'noted' | 'dead'> =>
      (await run(describeScript, [id, publicId])) as 'noted' | 'dead',
    /** The public id under which an upload may have left something; null without an intent. */
    publicIdOf: (id: string): Promise<string | null> => edge(() => redis.hget(keys.intent(id), 'publicId')),
    /** Those of these ids that are being uploaded, verified or undone. */
    findUnderWay: (ids: readonly string[]): Promise<Set<string>> =>
      edge(() => membersOf(redis, keys.intents, ids)),
    beat: async (ids: readonly string[]): Promise<IntentState[]> =>
      (await run(beatScript, ids)) as IntentState[],
    /** The record enters the catalog as saving, the intent is settled and the jobs are added, in one step. */
    accept: (upload: Acceptance): Promise<AcceptOutcome> => acceptMany(acceptArguments(upload)),
    drop: async (id: string): Promise<void> => {
      await run(dropScript, [id]);
    },
    /**
     * Instead of `drop`, where Redis was asked to accept the upload and did not answer: it may have done so, or do so yet.
     * Takes the record out again, frees its claim, and refuses an acceptance that comes later.
     */
    abandon: async (id: string, claimKey: string | null): Promise<void> => {
      await run(abandonScript, [id, LATE_ACCEPTANCE_MS, claimKey ?? '']);
    },
    /** live and stale becomes dead; answers the state after that. */
    kill: async (id: string): Promise<IntentState> =>
      (await run(killScript, [id, INTENT_STALE_MS])) as IntentState,
    /** Takes `kill` back, unless the upload was refused since; answers the state after that. */
    revive: async (id: string): Promise<IntentState> => (await run(reviveScript, [id])) as IntentState,
    /** Before an asset without an upload is removed: keeps uploads under its id away until `drop`. Answers the state after that. */
    bury: async (id: string, publicId: string): Promise<IntentState> =>
      (await run(buryScript, [id, publicId])) as IntentState,
    stale: async (count: number, olderThanMs = INTENT_STALE_MS): Promise<StaleIntent[]> => {
      const found = (await run(staleScript, [olderThanMs, count])) as [string, IntentState, string, number][];
      return found.map(([id, state, publicId, tries]) => ({ id, state, publicId, tries }));
    },
    /** Counts one more try to enqueue a settled upload; 0 when it is no longer settled. */
    retry: async (id: string): Promise<number> => (await run(retryScript, [id])) as number,
  };
}

/** What `createIntents` gives. The API opens and accepts; the sweeps of the worker finish or undo. */
export type Intents = ReturnType<typeof createIntents>;
