import type { HostBudget } from '../media-host/index.js';
import {
  fromRedisError,
  unlessFenced,
  type RedisClient,
  type RedisKeys,
  type Script,
  type ScriptReply,
} from '../redis/index.js';
import type { RunningRun } from './running-run.js';
import {
  snapshotFactsOf,
  syncFactsOf,
  syncReads,
  type FactTexts,
  type SnapshotFacts,
  type SnapshotNote,
  type SnapshotTexts,
  type SyncFacts,
} from './sync-reads.js';
import type { SyncProblem, SyncRun } from './sync-run.js';
import {
  acquireScript,
  checkpointScript,
  finishScript,
  hearScript,
  noteScript,
  releaseScript,
  renewScript,
} from './sync-scripts.js';

/** A holder that died gives way after this long; shorter than the recovery of its job takes. */
export const SYNC_LEASE_MS = 20_000;
const RUNS_KEPT = 20;
const ERRORS_KEPT = 20;
const SEEN_LIFE_SECONDS = 7 * 24 * 3_600;

/** What is remembered besides runs. Times are ISO 8601. */
export interface SyncNotes {
  snapshot?: SnapshotNote;
  /** When a snapshot was last begun. */
  snapshotTriedAt?: string;
  /** When the oldest snapshot that the host keeps was begun. */
  snapshotsSince?: string;
  /** Syncs go on from here. */
  watermark?: string;
}

/** What the end of a run moves for those after it. */
export interface RunOutcome {
  watermark?: string;
  lastFullAt?: string;
  lookedAt?: string;
}

/**
 * The writing side, for the worker that holds the lease. All but `acquire` throw RUN_SUPERSEDED once another holder
 * has it, so a resumed zombie changes nothing; all throw CATALOG_UNAVAILABLE when Redis cannot serve.
 */
export function syncWrites(redis: RedisClient, keys: RedisKeys) {
  const run = async (
    script: Script,
    scriptKeys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<ScriptReply> => {
    try {
      return await script(redis, scriptKeys, args);
    } catch (error) {
      throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
    }
  };
  const fenced = async (
    script: Script,
    scriptKeys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<void> => void unlessFenced(await run(script, scriptKeys, args));

  const begin = async (runId: string): Promise<{ token: string | null; facts: SyncFacts }> => {
    const reply = await run(acquireScript, [keys.prefix], [SYNC_LEASE_MS, runId]);
    const [token, facts] = reply as [string, FactTexts];
    return { token: token === '' ? null : token, facts: syncFactsOf(facts, runId) };
  };

  return {
    /** The token of the lease, or null while another worker holds it. */
    acquire: async (): Promise<string | null> => (await begin('')).token,
    /** The same, and what a run is decided by, as it is then: one command. */
    begin,
    renew: (token: string): Promise<void> => fenced(renewScript, [keys.prefix], [token, SYNC_LEASE_MS]),
    release: (token: string, budget: HostBudget | null = null): Promise<void> =>
      fenced(releaseScript, [keys.prefix], [token, textOf(budget)]),
    /** What the host said outside of any run. Needs no lease: the latest word counts. */
    noteBudget: async (budget: HostBudget | null): Promise<void> =>
      void (await run(hearScript, [keys.prefix], [textOf(budget)])),
    /** One page is done: where the run stands, and the numbers of the records it met, in one step. */
    checkpoint: (
      token: string,
      running: RunningRun,
      seen: readonly number[] = [],
      budget: HostBudget | null = null,
    ): Promise<void> =>
      fenced(
        checkpointScript,
        [keys.prefix, keys.syncSeen(running.run.runId)],
        [token, SYNC_LEASE_MS, JSON.stringify(running), textOf(budget), SEEN_LIFE_SECONDS, ...seen],
      ),
    /** The run is over: it enters the history, and what it learnt is kept. Answers what tells whether a snapshot is due. */
    finish: async (
      token: string,
      finished: SyncRun,
      outcome: RunOutcome = {},
      budget: HostBudget | null = null,
    ): Promise<SnapshotFacts> => {
      const fields: Record<string, string> = { ...outcome };
      const leavesReport = outcome.lastFullAt !== undefined;
      if (leavesReport) {
        fields['lastFullRun'] = JSON.stringify(finished);
        fields['driftRun'] = finished.runId;
      }
      if (finished.lastError !== null) {
        const { recentErrors } = await syncReads(redis, keys).readStatus();
        const errors = [{ runId: finished.runId, ...finished.lastError }, ...recentErrors];
        fields['recentErrors'] = JSON.stringify(errors.slice(0, ERRORS_KEPT));
      }
      const reply = await run(
        finishScript,
        [keys.prefix, keys.syncSeen(finished.runId), keys.syncDriftOf(finished.runId), keys.syncDrift],
        [
          token,
          JSON.stringify(finished),
          RUNS_KEPT,
          leavesReport ? '1' : '',
          textOf(budget),
          ...Object.entries(fields).flat(),
        ],
      );
      return snapshotFactsOf(unlessFenced(reply) as SnapshotTexts);
    },
    note: async (token: string, { snapshot, ...texts }: SyncNotes): Promise<void> => {
      const fields = { ...texts, ...(snapshot === undefined ? {} : { snapshot: JSON.stringify(snapshot) }) };
      await fenced(noteScript, [keys.prefix], [token, ...Object.entries(fields).flat()]);
    },
    /** Something went wrong besides a run, in the words of that run's history. */
    noteProblem: async (token: string, runId: string, problem: SyncProblem): Promise<void> => {
      const { recentErrors } = await syncReads(redis, keys).readStatus();
      const errors = [{ runId, ...problem }, ...recentErrors].slice(0, ERRORS_KEPT);
      await fenced(noteScript, [keys.prefix], [token, 'recentErrors', JSON.stringify(errors)]);
    },
    /** The number of the newest record. */
    lastSequence: async (): Promise<number> => {
      try {
        return Number((await redis.get(keys.sequence)) ?? '0');
      } catch (error) {
        throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
      }
    },
  };
}

function textOf(budget: HostBudget | null): string {
  return budget === null ? '' : JSON.stringify(budget);
}
