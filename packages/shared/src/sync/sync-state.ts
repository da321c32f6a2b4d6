import type { HostBudget } from '../media-host/index.js';
import {
  redisEdge,
  unlessFenced,
  type RedisClient,
  type RedisKeys,
  type Script,
  type ScriptArgument,
} from '../redis/index.js';
import { driftReport } from './drift-report.js';
import type { RunningRun, SyncProblem, SyncRun } from './sync-run.js';
import {
  acquireScript,
  checkpointScript,
  factsScript,
  finishScript,
  hearScript,
  noteScript,
  releaseScript,
  renewScript,
  snapshotFactsScript,
} from './sync-scripts.js';

/** A holder that died gives way after this long; shorter than the recovery of its job takes. */
export const SYNC_LEASE_MS = 20_000;
const RUNS_KEPT = 20;
const ERRORS_KEPT = 20;
const SEEN_LIFE_SECONDS = 7 * 24 * 3_600;

/** Where syncs stand. Null where there was none since Redis was last emptied. */
export interface SyncStatus {
  /** The run under way, also while it waits for the host or for a worker to take it up again. */
  running: SyncRun | null;
  /** The last one that has ended, however. */
  lastRun: SyncRun | null;
  /** The last full run that completed; dry runs do not count. */
  lastFullRun: SyncRun | null;
  /** Newest first, at most 20. */
  recentErrors: (SyncProblem & { runId: string })[];
  /** The last snapshot of the catalog on the host, as far as this catalog knows; null where there is none. */
  snapshot: SnapshotNote | null;
  /** The host's budget as any process of the fleet last heard it. */
  rateLimit: HostBudget | null;
}

/** What is remembered of a snapshot. */
export interface SnapshotNote {
  id: string;
  /** ISO 8601: when the catalog began to be read. */
  at: string;
  records: number;
  /** Compressed, without the manifest. */
  bytes: number;
  /** How many changes the catalog had seen by then; null: less than this catalog has now. */
  changes: number | null;
}

/** What decides whether a snapshot is due. */
export interface SnapshotFacts {
  /** The last one that was written, or that this catalog was refilled from. */
  snapshot: SnapshotNote | null;
  /** ISO 8601: when one was last begun. */
  triedAt: string | null;
  /** ISO 8601: start of the last full run that completed; null while there was none. */
  lastFullAt: string | null;
  /** How many changes the catalog has seen. */
  changes: number;
  /** ISO 8601: every snapshot that the host keeps was begun then, or later; null where that is not known. */
  keptSince: string | null;
}

/** What later runs go by. Times are ISO 8601. */
export interface SyncMarks {
  /** Everything that changed on the host before this is in the catalog. */
  watermark: string | null;
  /** Start of the last full run that completed. */
  lastFullAt: string | null;
  /** Start of the last run of any sort that looked at the host. */
  lookedAt: string | null;
}

/** What a run is decided by. */
export interface SyncFacts {
  status: SyncStatus;
  /** The run under way, with where it stands. */
  running: RunningRun | null;
  /** The run that was asked for, among the running one and the last 20. */
  asked: SyncRun | null;
  marks: SyncMarks;
  /** The number of the newest record. */
  lastSequence: number;
}

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

/** What `createSyncState` gives. What takes a token is for the worker that holds the lease. */
export type SyncState = ReturnType<typeof createSyncState>;

/**
 * The state of sync runs in Redis: who runs, how far, and what earlier runs left and found. What takes a token throws
 * RUN_SUPERSEDED once another worker holds the lease, so a worker that was resumed too late changes nothing. All throw
 * CATALOG_UNAVAILABLE when Redis cannot serve.
 */
export function createSyncState(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  const { prefix } = keys;

  const fenced = async (script: Script, args: readonly ScriptArgument[], more: readonly string[] = []) =>
    guarded(async () => unlessFenced(await script(redis, [prefix, ...more], args)));

  const begin = (runId: string): Promise<{ token: string | null; facts: SyncFacts }> =>
    guarded(async () => {
      const reply = await acquireScript(redis, [prefix], [SYNC_LEASE_MS, runId]);
      const [token, facts] = reply as [string, FactTexts];
      return { token: token === '' ? null : token, facts: syncFactsOf(facts, runId) };
    });
  const readFacts = (runId = ''): Promise<SyncFacts> =>
    guarded(async () => syncFactsOf((await factsScript(redis, [prefix], [runId])) as FactTexts, runId));
  const readStatus = async (): Promise<SyncStatus> => (await readFacts()).status;
  const withProblem = async (runId: string, problem: SyncProblem): Promise<string> => {
    const { recentErrors } = await readStatus();
    return JSON.stringify([{ runId, ...problem }, ...recentErrors].slice(0, ERRORS_KEPT));
  };

  return {
    ...driftReport(redis, keys),
    /** The token of the lease (null while another worker holds it), and what a run is decided by: one command. */
    begin,
    acquire: async (): Promise<string | null> => (await begin('')).token,
    renew: async (token: string): Promise<void> => void (await fenced(renewScript, [token, SYNC_LEASE_MS])),
    release: async (token: string, budget: HostBudget | null = null): Promise<void> =>
      void (await fenced(releaseScript, [token, textOf(budget)])),

    /** All that a run is decided by, in one command. */
    readFacts,
    readStatus,
    /** A run by its id: the one under way or one of the last 20. */
    findRun: async (runId: string): Promise<SyncRun | null> => (await readFacts(runId)).asked,
    readRunning: (): Promise<RunningRun | null> =>
      guarded(async () => parse(await redis.get(keys.syncRun)) as RunningRun | null),
    readMarks: (): Promise<SyncMarks> =>
      guarded(async () => {
        const fields = ['watermark', 'lastFullAt', 'lookedAt'] as const;
        const [watermark = null, lastFullAt = null, lookedAt = null] = await redis.hmget(
          keys.syncState,
          ...fields,
        );
        return { watermark, lastFullAt, lookedAt };
      }),
    /** What decides whether a snapshot is due. */
    readSnapshotFacts: (): Promise<SnapshotFacts> =>
      guarded(async () => snapshotFactsOf((await snapshotFactsScript(redis, [prefix], [])) as SnapshotTexts)),
    /** The number of the newest record. */
    lastSequence: (): Promise<number> => guarded(async () => Number((await redis.get(keys.sequence)) ?? '0')),

    /** What the host said outside of any run. Needs no lease: the latest one counts. */
    noteBudget: (budget: HostBudget | null): Promise<void> =>
      guarded(async () => void (await hearScript(redis, [prefix], [textOf(budget)]))),
    /** One page is done: where the run stands, and the numbers of the records it met, in one step. */
    checkpoint: async (
      token: string,
      running: RunningRun,
      seen: readonly number[] = [],
      budget: HostBudget | null = null,
    ): Promise<void> => {
      const args = [
        token,
        SYNC_LEASE_MS,
        JSON.stringify(running),
        textOf(budget),
        SEEN_LIFE_SECONDS,
        ...seen,
      ];
      await fenced(checkpointScript, args, [keys.syncSeen(running.run.runId)]);
    },
    /** The run is over: it enters the history, and what it learnt is kept. Returns what decides whether a snapshot is due. */
    finish: async (
      token: string,
      finished: SyncRun,
      outcome: RunOutcome = {},
      budget: HostBudget | null = null,
    ): Promise<SnapshotFacts> => {
      const { runId, lastError } = finished;
      const leavesReport = outcome.lastFullAt !== undefined;
      const text = JSON.stringify(finished);
      const fields = {
        ...outcome,
        ...(leavesReport ? { lastFullRun: text, driftRun: runId } : {}),
        ...(lastError === null ? {} : { recentErrors: await withProblem(runId, lastError) }),
      };
      const args = [
        token,
        text,
        RUNS_KEPT,
        leavesReport ? '1' : '',
        textOf(budget),
        ...Object.entries(fields).flat(),
      ];
      const more = [keys.syncSeen(runId), keys.syncDriftOf(runId), keys.syncDrift];
      return snapshotFactsOf((await fenced(finishScript, args, more)) as SnapshotTexts);
    },
    note: async (token: string, { snapshot, ...texts }: SyncNotes): Promise<void> => {
      const fields = { ...texts, ...(snapshot === undefined ? {} : { snapshot: JSON.stringify(snapshot) }) };
      await fenced(noteScript, [token, ...Object.entries(fields).flat()]);
    },
    /** Something went wrong besides a run. It is shown among the errors of runs. */
    noteProblem: async (token: string, runId: string, problem: SyncProblem): Promise<void> =>
      void (await fenced(noteScript, [token, 'recentErrors', await withProblem(runId, problem)])),
  };
}

/** As `factsScript` and `acquireScript` give them. */
type FactTexts = [
  running: string | null,
  last: string | null,
  asked: string | null,
  fields: (string | null)[],
  sequence: string | null,
];

function syncFactsOf([running, last, asked, fields, sequence]: FactTexts, runId: string): SyncFacts {
  const [lastFullRun = null, recentErrors = null, rateLimit = null, snapshot = null] = fields;
  const [watermark = null, lastFullAt = null, lookedAt = null] = fields.slice(4);
  const current = parse(running) as RunningRun | null;
  return {
    status: syncStatusOf({ running, last, lastFullRun, recentErrors, rateLimit, snapshot }),
    running: current,
    asked: current?.run.runId === runId ? current.run : (parse(asked) as SyncRun | null),
    marks: { watermark, lastFullAt, lookedAt },
    lastSequence: Number(sequence ?? '0'),
  };
}

/** A status from the texts that are kept of it, null where there is none. `last`: the newest of the runs. */
export function syncStatusOf(
  texts: Record<
    'running' | 'last' | 'lastFullRun' | 'recentErrors' | 'rateLimit' | 'snapshot',
    string | null
  >,
): SyncStatus {
  return {
    running: (parse(texts.running) as RunningRun | null)?.run ?? null,
    lastRun: parse(texts.last) as SyncRun | null,
    lastFullRun: parse(texts.lastFullRun) as SyncRun | null,
    recentErrors: (parse(texts.recentErrors) ?? []) as SyncStatus['recentErrors'],
    rateLimit: parse(texts.rateLimit) as HostBudget | null,
    snapshot: parse(texts.snapshot) as SnapshotNote | null,
  };
}

type SnapshotTexts = [fields: (string | null)[], changes: string | null];

function snapshotFactsOf([fields, changes]: SnapshotTexts): SnapshotFacts {
  const [snapshot = null, triedAt = null, lastFullAt = null, keptSince = null] = fields;
  return {
    snapshot: parse(snapshot) as SnapshotNote | null,
    triedAt,
    lastFullAt,
    changes: Number(changes ?? '0'),
    keptSince,
  };
}

/** Only our own scripts write these values. */
function parse(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}

function textOf(budget: HostBudget | null): string {
  return budget === null ? '' : JSON.stringify(budget);
}
