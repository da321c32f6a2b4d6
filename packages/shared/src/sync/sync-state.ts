import { randomUUID } from 'node:crypto';
import type { HostBudget } from '../media-host/index.js';
import { defineScript, redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { driftReport } from './drift-report.js';
import { leasedWrite, RUN_LIFE_SECONDS, SYNC_LEASE_MS, type Command } from './lease.js';
import type { RunningRun, SyncProblem, SyncRun } from './sync-run.js';

const RUNS_KEPT = 20;
const ERRORS_KEPT = 20;

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
export interface SyncWatermarks {
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
  watermarks: SyncWatermarks;
  snapshots: SnapshotFacts;
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
export type RunOutcome = { [Mark in keyof SyncWatermarks]?: string };

/** What `createSyncState` gives. What takes a token is for the worker that holds the lease. */
export type SyncState = ReturnType<typeof createSyncState>;

/**
 * The state of sync runs in Redis: who runs, how far, and what earlier runs left and found. What takes a token throws
 * RUN_SUPERSEDED once another worker holds the lease, so a worker that was resumed too late changes nothing. All throw
 * CATALOG_UNAVAILABLE when Redis cannot serve.
 */
export function createSyncState(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');

  const write = leasedWrite(redis, keys);
  const keepLease: Command = ['PEXPIRE', keys.syncLease, SYNC_LEASE_MS];
  const setFields = (fields: Readonly<Record<string, string>>): Command => [
    'HSET',
    keys.syncState,
    ...Object.entries(fields).flat(),
  ];
  /** `budget`: what this process has just heard. */
  const keepBudget = (budget: HostBudget | null): Command[] =>
    budget === null ? [] : [setFields({ rateLimit: JSON.stringify(budget) })];

  /** With a token it takes the lease first, where nobody has it. */
  const look = (runId: string, token = ''): Promise<{ token: string | null; facts: SyncFacts }> =>
    guarded(async () => {
      const args = [runId === '' ? 0 : -1, token, SYNC_LEASE_MS];
      const [taken, ...texts] = (await factsScript(redis, [keys.prefix], args)) as [number, ...FactTexts];
      return { token: taken === 1 ? token : null, facts: syncFactsOf(texts, runId) };
    });
  const readFacts = async (runId = ''): Promise<SyncFacts> => (await look(runId)).facts;
  const withProblem = async (runId: string, problem: SyncProblem): Promise<string> => {
    const { recentErrors } = (await readFacts()).status;
    return JSON.stringify([{ runId, ...problem }, ...recentErrors].slice(0, ERRORS_KEPT));
  };

  return {
    ...driftReport(redis, keys),
    /** The token of the lease, null while another worker holds it, and what a run is decided by. */
    begin: (runId = '') => look(runId, randomUUID()),
    renew: async (token: string): Promise<void> => void (await write(token, keepLease)),
    release: async (token: string, budget: HostBudget | null = null): Promise<void> =>
      void (await write(token, ...keepBudget(budget), ['DEL', keys.syncLease])),

    /** All that a run is decided by, in one command. */
    readFacts,
    readStatus: async (): Promise<SyncStatus> => (await readFacts()).status,
    /** What decides whether a snapshot is due. */
    readSnapshotFacts: async (): Promise<SnapshotFacts> => (await readFacts()).snapshots,
    /** A run by its id: the one under way or one of the last 20. */
    findRun: async (runId: string): Promise<SyncRun | null> => (await readFacts(runId)).asked,
    readRunning: (): Promise<RunningRun | null> =>
      guarded(async () => parse(await redis.get(keys.syncRun)) as RunningRun | null),
    readWatermarks: (): Promise<SyncWatermarks> =>
      guarded(async () => {
        const fields = await redis.hmget(keys.syncState, 'watermark', 'lastFullAt', 'lookedAt');
        const [watermark = null, lastFullAt = null, lookedAt = null] = fields;
        return { watermark, lastFullAt, lookedAt };
      }),

    /** What the host has just said outside of any run. Needs no lease. */
    noteBudget: (budget: HostBudget | null): Promise<void> =>
      guarded(async () => {
        if (budget !== null) await redis.hset(keys.syncState, 'rateLimit', JSON.stringify(budget));
      }),
    /** One page is done: where the run stands, and the numbers of the records it met, in one step. */
    checkpoint: async (
      token: string,
      running: RunningRun,
      seen: readonly number[] = [],
      budget: HostBudget | null = null,
    ): Promise<void> => {
      await write(
        token,
        keepLease,
        ['SET', keys.syncRun, JSON.stringify(running)],
        ...keepBudget(budget),
        ...(seen.length === 0 ? [] : noteSeen(keys.syncSeen(running.run.runId), seen)),
      );
    },
    /** The run is over: it enters the history, and what it learnt is kept. */
    finish: async (
      token: string,
      finished: SyncRun,
      outcome: RunOutcome = {},
      budget: HostBudget | null = null,
    ): Promise<void> => {
      const { runId, lastError } = finished;
      const text = JSON.stringify(finished);
      const found = keys.syncDriftOf(runId);
      const leavesReport = outcome.lastFullAt !== undefined;
      const fields = {
        ...outcome,
        ...(leavesReport ? { lastFullRun: text, driftRun: runId } : {}),
        ...(lastError === null ? {} : { recentErrors: await withProblem(runId, lastError) }),
      };
      await write(
        token,
        ['DEL', keys.syncRun, keys.syncSeen(runId)],
        ['LPUSH', keys.syncRuns, text],
        ['LTRIM', keys.syncRuns, 0, RUNS_KEPT - 1],
        ...keepBudget(budget),
        ...(Object.keys(fields).length === 0 ? [] : [setFields(fields)]),
        // In the place of the last report; without an item there is no such key.
        ...(leavesReport ? ([['ZUNIONSTORE', keys.syncDrift, 1, found]] as const) : []),
        ['UNLINK', found],
      );
    },
    note: async (token: string, { snapshot, ...texts }: SyncNotes): Promise<void> => {
      const fields = { ...texts, ...(snapshot === undefined ? {} : { snapshot: JSON.stringify(snapshot) }) };
      await write(token, setFields(fields));
    },
    /** Something went wrong besides a run. It is shown among the errors of runs. */
    noteProblem: async (token: string, runId: string, problem: SyncProblem): Promise<void> =>
      void (await write(token, setFields({ recentErrors: await withProblem(runId, problem) }))),
  };
}

/** In a bitmap by the numbers of records. */
function noteSeen(bitmap: string, numbers: readonly number[]): Command[] {
  return [
    ['BITFIELD', bitmap, ...numbers.flatMap((number) => ['SET', 'u1', number, 1])],
    ['EXPIRE', bitmap, RUN_LIFE_SECONDS],
  ];
}

/**
 * ARGV: index of the oldest run that is needed, token of a worker that wants the lease ('' = none does), how long it lasts. Answers
 * whether that worker has it now, and the facts. In one step, since services bill each command.
 */
const factsScript = defineScript(`
local p = KEYS[1]
local taken = ARGV[2] ~= '' and redis.call('SET', p .. ':sync:lease', ARGV[2], 'NX', 'PX', ARGV[3])
return {
  taken and 1 or 0, redis.call('GET', p .. ':sync:run'), redis.call('LRANGE', p .. ':sync:runs', 0, ARGV[1]),
  redis.call('HGETALL', p .. ':sync:state'), redis.call('MGET', p .. ':sequence', p .. ':changes'),
}
`);
type FactTexts = [
  running: string | null,
  runs: string[],
  state: string[],
  counters: [sequence: string | null, changes: string | null],
];

function syncFactsOf(
  [runningText, runTexts, state, [sequence, changes]]: FactTexts,
  runId: string,
): SyncFacts {
  const fields = new Map(state.flatMap((name, at) => (at % 2 === 0 ? [[name, state[at + 1] ?? '']] : [])));
  const field = (name: string): string | null => fields.get(name) ?? null;
  const running = parse(runningText) as RunningRun | null;
  const runs = runTexts.map((text) => JSON.parse(text) as SyncRun);
  const known = running === null ? runs : [running.run, ...runs];
  const status = syncStatusOf({
    running: runningText,
    last: runTexts[0] ?? null,
    lastFullRun: field('lastFullRun'),
    recentErrors: field('recentErrors'),
    rateLimit: field('rateLimit'),
    snapshot: field('snapshot'),
  });
  const lastFullAt = field('lastFullAt');
  return {
    status,
    running,
    asked: known.find((run) => run.runId === runId) ?? null,
    watermarks: { watermark: field('watermark'), lastFullAt, lookedAt: field('lookedAt') },
    snapshots: {
      snapshot: status.snapshot,
      triedAt: field('snapshotTriedAt'),
      lastFullAt,
      changes: Number(changes ?? '0'),
      keptSince: field('snapshotsSince'),
    },
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
    recentErrors: (parse(texts.recentErrors) as SyncStatus['recentErrors'] | null) ?? [],
    rateLimit: parse(texts.rateLimit) as HostBudget | null,
    snapshot: parse(texts.snapshot) as SnapshotNote | null,
  };
}

/** Only we write these values. */
function parse(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}
