import { randomUUID } from 'node:crypto';
import type { HostBudget } from '../media-host/index.js';
import { defineScript, redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { driftReport } from './drift-report.js';
import { leasedWrite, RUN_LIFE_SECONDS, SYNC_LEASE_MS, type Command } from './lease.js';
import type { RunningRun, SyncProblem, SyncRun } from './sync-run.js';

const RUNS_KEPT = 20;
const ERRORS_KEPT = 20;

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

/** Where syncs stand, at one moment. Null where there was none since Redis was last emptied. Times are ISO 8601. */
export interface SyncFacts {
  /** The run under way, also while it waits for the host or for a worker to take it up again. */
  running: RunningRun | null;
  /** The last one that has ended, however. */
  lastRun: SyncRun | null;
  /** The last full run that completed; dry runs do not count. */
  lastFullRun: SyncRun | null;
  /** The run that was asked for, among the running one and the last 20. */
  asked: SyncRun | null;
  /** Newest first, at most 20. */
  recentErrors: (SyncProblem & { runId: string })[];
  /** The host's budget as last reported to any process of the fleet. */
  rateLimit: HostBudget | null;
  /** Everything that changed on the host before this is in the catalog. */
  watermark: string | null;
  /** Start of the last full run that completed. */
  lastFullAt: string | null;
  /** Start of the last run of any sort that looked at the host. */
  lookedAt: string | null;
  /** The last snapshot that was written, or that this catalog was refilled from. */
  snapshot: SnapshotNote | null;
  /** When a snapshot was last begun. */
  snapshotTriedAt: string | null;
  /** Every snapshot that the host keeps was begun then, or later. */
  snapshotsSince: string | null;
  /** The number of the newest record. */
  lastSequence: number;
  /** How many changes the catalog has seen. */
  changes: number;
}

type Noted<Name extends keyof SyncFacts> = { [Fact in Name]?: NonNullable<SyncFacts[Fact]> };
/** What the end of a run moves for those after it. */
export type RunOutcome = Noted<'watermark' | 'lastFullAt' | 'lookedAt'>;
/** What is remembered besides runs. */
export type SyncNotes = Noted<'snapshot' | 'snapshotTriedAt' | 'snapshotsSince' | 'watermark'>;

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
  const setFields = (fields: Readonly<Record<string, string>>): Command[] => {
    const pairs = Object.entries(fields).flat();
    return pairs.length === 0 ? [] : [['HSET', keys.syncState, ...pairs]];
  };
  /** `budget`: what this process has just heard. */
  const keepBudget = (budget: HostBudget | null): Command[] =>
    budget === null ? [] : setFields({ rateLimit: JSON.stringify(budget) });

  /** With a token it takes the lease first, where nobody has it. */
  const look = (runId: string, token = ''): Promise<{ token: string | null; facts: SyncFacts }> =>
    guarded(async () => {
      const args = [runId === '' ? 0 : -1, token, SYNC_LEASE_MS];
      const [taken, ...texts] = (await factsScript(redis, [keys.prefix], args)) as [number, ...FactTexts];
      return { token: taken === 1 ? token : null, facts: syncFactsOf(texts, runId) };
    });
  const read = async (runId = ''): Promise<SyncFacts> => (await look(runId)).facts;
  const withProblem = async (runId: string, problem: SyncProblem): Promise<string> => {
    const { recentErrors } = await read();
    return JSON.stringify([{ runId, ...problem }, ...recentErrors].slice(0, ERRORS_KEPT));
  };

  return {
    ...driftReport(redis, keys),
    /** The token of the lease, null while another worker holds it, and what a run is decided by. */
    begin: (runId = '') => look(runId, randomUUID()),
    renew: async (token: string): Promise<void> => void (await write(token, keepLease)),
    release: async (token: string, budget: HostBudget | null = null): Promise<void> =>
      void (await write(token, ...keepBudget(budget), ['DEL', keys.syncLease])),

    /** Everything, in one command; `asked` for the run with this id. */
    read,
    /** A run by its id: the one under way or one of the last 20. */
    findRun: async (runId: string): Promise<SyncRun | null> => (await read(runId)).asked,
    /** Whether the catalog is being refilled, or has to be: the little of `read` that requests of clients wait for. */
    readRefill: (): Promise<Pick<SyncFacts, 'running' | 'lastFullAt'>> =>
      guarded(async () => {
        const texts = [redis.get(keys.syncRun), redis.hget(keys.syncState, 'lastFullAt')];
        const [running = null, lastFullAt = null] = await Promise.all(texts);
        return { running: parse(running) as RunningRun | null, lastFullAt };
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
      await write(
        token,
        ['DEL', keys.syncRun, keys.syncSeen(runId)],
        ['LPUSH', keys.syncRuns, text],
        ['LTRIM', keys.syncRuns, 0, RUNS_KEPT - 1],
        ...keepBudget(budget),
        ...setFields({
          ...outcome,
          ...(leavesReport ? { lastFullRun: text, driftRun: runId } : {}),
          ...(lastError === null ? {} : { recentErrors: await withProblem(runId, lastError) }),
        }),
        // In the place of the last report; without an item there is no such key.
        ...(leavesReport ? ([['ZUNIONSTORE', keys.syncDrift, 1, found]] as const) : []),
        ['UNLINK', found],
      );
    },
    note: async (token: string, { snapshot, ...texts }: SyncNotes): Promise<void> => {
      const fields = { ...texts, ...(snapshot === undefined ? {} : { snapshot: JSON.stringify(snapshot) }) };
      await write(token, ...setFields(fields));
    },
    /** Something went wrong besides a run. It is shown among the errors of runs. */
    noteProblem: async (token: string, runId: string, problem: SyncProblem): Promise<void> =>
      void (await write(token, ...setFields({ recentErrors: await withProblem(runId, problem) }))),
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

/** Facts as they are stored; null where they could not be read. */
export type FactTexts = [
  running: string | null,
  runs: string[] | null,
  state: string[] | null,
  counters?: [sequence: string | null, changes: string | null],
];

/** `asked`: the id of a run. */
export function syncFactsOf(
  [runningText, runs, state, [sequence, changes] = [null, null]]: FactTexts,
  asked = '',
): SyncFacts {
  const fields = new Map(
    (state ?? []).flatMap((name, at, all) => (at % 2 === 0 ? [[name, all[at + 1] ?? ''] as const] : [])),
  );
  const field = (name: string): string | null => fields.get(name) ?? null;
  const running = parse(runningText) as RunningRun | null;
  const ended = (runs ?? []).map((text) => JSON.parse(text) as SyncRun);
  const known = running === null ? ended : [running.run, ...ended];
  return {
    running,
    lastRun: ended[0] ?? null,
    lastFullRun: parse(field('lastFullRun')) as SyncRun | null,
    asked: known.find(({ runId }) => runId === asked) ?? null,
    recentErrors: (parse(field('recentErrors')) as SyncFacts['recentErrors'] | null) ?? [],
    rateLimit: parse(field('rateLimit')) as HostBudget | null,
    watermark: field('watermark'),
    lastFullAt: field('lastFullAt'),
    lookedAt: field('lookedAt'),
    snapshot: parse(field('snapshot')) as SnapshotNote | null,
    snapshotTriedAt: field('snapshotTriedAt'),
    snapshotsSince: field('snapshotsSince'),
    lastSequence: Number(sequence ?? '0'),
    // Each new record has a number, and is no other change.
    changes: Number(sequence ?? '0') + Number(changes ?? '0'),
  };
}

/** Only we write these values. */
function parse(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}
