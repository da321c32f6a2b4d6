import { randomUUID } from 'node:crypto';
import type { HostBudget } from '../media-host/index.js';
import {
  defineScript,
  leaseFence,
  pairsOf,
  redisEdge,
  scriptEdge,
  unlessFenced,
  type RedisClient,
  type RedisKeys,
  type ScriptReply,
} from '../redis/index.js';
import { driftReport, RUN_LIFE_SECONDS } from './drift-report.js';
import type { RunningRun, SyncProblem, SyncRun } from './sync-run.js';

/** A holder that died gives way after this long; shorter than the recovery of its job takes. */
export const SYNC_LEASE_MS = 20_000;

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

type Noted = 'watermark' | 'lastFullAt' | 'lookedAt' | 'snapshot' | 'snapshotTriedAt' | 'snapshotsSince';
/** What runs leave to later ones, and what is remembered besides. */
export type SyncNotes = { [Fact in Noted]?: NonNullable<SyncFacts[Fact]> };

/** What `createSyncState` gives. What takes a token is for the worker that holds the lease. */
export type SyncState = ReturnType<typeof createSyncState>;

/**
 * The state of sync runs in Redis: who runs, how far, and what earlier runs left and found. What takes a token throws
 * RUN_SUPERSEDED once another worker holds the lease, so a worker that was resumed too late changes nothing. All throw
 * CATALOG_UNAVAILABLE when Redis cannot serve.
 */
export function createSyncState(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  const run = scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE');
  const write: LeasedWrite = async (token, ...commands) =>
    unlessFenced(await run(writeScript, [token, JSON.stringify(commands)])) as ScriptReply[];
  const keepLease: Command = ['PEXPIRE', keys.syncLease, SYNC_LEASE_MS];
  const setFields = (fields: object): Command[] => {
    const pairs = Object.entries(fields).flatMap(([name, value]: [string, unknown]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
    return pairs.length === 0 ? [] : [['HSET', keys.syncState, ...pairs]];
  };
  /** `rateLimit`: what this process has just heard. */
  const keepBudget = (rateLimit: HostBudget | null): Command[] =>
    rateLimit === null ? [] : setFields({ rateLimit });

  /** With a token it takes the lease first, where nobody has it. */
  const look = async (runId: string, token = ''): Promise<{ token: string | null; facts: SyncFacts }> => {
    const reply = await run(factsScript, [runId === '' ? 0 : -1, token, SYNC_LEASE_MS]);
    const [taken, ...texts] = reply as [number, ...FactTexts];
    return { token: taken === 1 ? token : null, facts: syncFactsOf(texts, runId) };
  };
  const read = async (runId = ''): Promise<SyncFacts> => (await look(runId)).facts;
  const withProblem = async (runId: string, problem: SyncProblem): Promise<SyncFacts['recentErrors']> =>
    [{ runId, ...problem }, ...(await read()).recentErrors].slice(0, ERRORS_KEPT);

  return {
    ...driftReport(redis, keys, write),
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
      const bitmap = keys.syncSeen(running.run.runId);
      const bits = seen.flatMap((number) => ['SET', 'u1', number, 1]);
      const met: Command[] = [
        ['BITFIELD', bitmap, ...bits],
        ['EXPIRE', bitmap, RUN_LIFE_SECONDS],
      ];
      await write(
        token,
        keepLease,
        ['SET', keys.syncRun, JSON.stringify(running)],
        ...keepBudget(budget),
        ...(seen.length === 0 ? [] : met),
      );
    },
    /** The run is over: it enters the history, and what it learnt is kept. */
    finish: async (
      token: string,
      finished: SyncRun,
      outcome: SyncNotes = {},
      budget: HostBudget | null = null,
    ): Promise<void> => {
      const { runId, lastError } = finished;
      const found = keys.syncDriftOf(runId);
      const leavesReport = outcome.lastFullAt !== undefined;
      await write(
        token,
        ['DEL', keys.syncRun, keys.syncSeen(runId)],
        ['LPUSH', keys.syncRuns, JSON.stringify(finished)],
        ['LTRIM', keys.syncRuns, 0, RUNS_KEPT - 1],
        ...keepBudget(budget),
        ...setFields({
          ...outcome,
          ...(leavesReport ? { lastFullRun: finished, driftRun: runId } : {}),
          ...(lastError === null ? {} : { recentErrors: await withProblem(runId, lastError) }),
        }),
        // In the place of the last report; without an item there is no such key.
        ...(leavesReport ? ([['ZUNIONSTORE', keys.syncDrift, 1, found]] as const) : []),
        ['UNLINK', found],
      );
    },
    note: async (token: string, notes: SyncNotes): Promise<void> =>
      void (await write(token, ...setFields(notes))),
    /** Something went wrong besides a run. It is shown among the errors of runs. */
    noteProblem: async (token: string, runId: string, problem: SyncProblem): Promise<void> =>
      void (await write(token, ...setFields({ recentErrors: await withProblem(runId, problem) }))),
  };
}

/** One command of Redis and its operands; Lua passes on some thousand of them at most. */
export type Command = readonly [name: string, ...operands: (string | number)[]];

/**
 * Runs commands in one step, for the holder of the lease of syncs alone. Answers what each of them did. Throws RUN_SUPERSEDED, with
 * nothing written, once another worker holds the lease, and CATALOG_UNAVAILABLE.
 */
export type LeasedWrite = (token: string, ...commands: readonly Command[]) => Promise<ScriptReply[]>;

/** ARGV: token, JSON of the commands. */
const writeScript = defineScript(`
local p = KEYS[1]
${leaseFence}
local replies = {}
for n, command in ipairs(cjson.decode(ARGV[2])) do replies[n] = redis.call(unpack(command)) end
return replies
`);

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

/**
 * Where syncs stand, at one moment. Null where there was none since Redis was last emptied. Times are ISO 8601. `runId`: of the run
 * that was asked for.
 */
export function syncFactsOf(
  [runningText, runs, state, [sequence, changes] = [null, null]]: FactTexts,
  runId = '',
) {
  const fields = new Map(pairsOf(state));
  const field = (name: string): string | null => fields.get(name) ?? null;
  const running = parse(runningText) as RunningRun | null;
  const ended = (runs ?? []).map((text) => JSON.parse(text) as SyncRun);
  const known = running === null ? ended : [running.run, ...ended];
  return {
    /** The run under way, also while it waits for the host or for a worker to take it up again. */
    running,
    /** The last one that has ended, however. */
    lastRun: ended[0] ?? null,
    /** The last full run that completed; dry runs do not count. */
    lastFullRun: parse(field('lastFullRun')) as SyncRun | null,
    /** The run that was asked for, among the running one and the last 20. */
    asked: known.find((run) => run.runId === runId) ?? null,
    /** Newest first, at most 20. */
    recentErrors: (parse(field('recentErrors')) as (SyncProblem & { runId: string })[] | null) ?? [],
    /** The host's budget as last reported to any process of the fleet. */
    rateLimit: parse(field('rateLimit')) as HostBudget | null,
    /** Everything that changed on the host before this is in the catalog. */
    watermark: field('watermark'),
    /** Start of the last full run that completed. */
    lastFullAt: field('lastFullAt'),
    /** Start of the last run of any sort that looked at the host. */
    lookedAt: field('lookedAt'),
    /** The last snapshot that was written, or that this catalog was refilled from. */
    snapshot: parse(field('snapshot')) as SnapshotNote | null,
    /** When a snapshot was last begun. */
    snapshotTriedAt: field('snapshotTriedAt'),
    /** Every snapshot that the host keeps was begun then, or later. */
    snapshotsSince: field('snapshotsSince'),
    /** The number of the newest record. */
    lastSequence: Number(sequence ?? '0'),
    /** How many changes the catalog has seen. Each new record has a number, and is no other change. */
    changes: Number(sequence ?? '0') + Number(changes ?? '0'),
  };
}

export type SyncFacts = ReturnType<typeof syncFactsOf>;

/** Only we write these values. */
function parse(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}
