import type { HostBudget } from '../media-host/index.js';
import {
  defineScript,
  leaseFence,
  redisEdge,
  unlessFenced,
  type RedisClient,
  type RedisKeys,
  type Script,
  type ScriptArgument,
} from '../redis/index.js';
import { driftReport } from './drift-report.js';
import type { RunningRun, SyncProblem, SyncRun } from './sync-run.js';

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
  const withProblem = async (runId: string, problem: SyncProblem): Promise<string> => {
    const { recentErrors } = (await readFacts()).status;
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
      const head = [token, SYNC_LEASE_MS, JSON.stringify(running), textOf(budget), SEEN_LIFE_SECONDS];
      await fenced(checkpointScript, [...head, ...seen], [keys.syncSeen(running.run.runId)]);
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
      const head = [token, text, RUNS_KEPT, leavesReport ? '1' : '', textOf(budget)];
      const more = [keys.syncSeen(runId), keys.syncDriftOf(runId), keys.syncDrift];
      const facts = await fenced(finishScript, [...head, ...Object.entries(fields).flat()], more);
      return syncFactsOf(facts as FactTexts, '').snapshots;
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

/** Fields of the hash `sync:state`, in the order in which `facts` gives them. */
const factFields = [
  'lastFullRun',
  'recentErrors',
  'rateLimit',
  'snapshot',
  'watermark',
  'lastFullAt',
  'lookedAt',
  'snapshotTriedAt',
  'snapshotsSince',
] as const;

/** As `facts` in Lua gives them. */
type FactTexts = [
  running: string | null,
  last: string | null,
  asked: string | null,
  sequence: string | null,
  changes: string | null,
  ...fields: (string | null)[],
];

function syncFactsOf(
  [running, last, asked, sequence, changes, ...texts]: FactTexts,
  runId: string,
): SyncFacts {
  const [lastFullRun = null, recentErrors = null, rateLimit = null, snapshot = null, ...times] = texts;
  const [watermark = null, lastFullAt = null, lookedAt = null, triedAt = null, keptSince = null] = times;
  const status = syncStatusOf({ running, last, lastFullRun, recentErrors, rateLimit, snapshot });
  return {
    status,
    running: parse(running) as RunningRun | null,
    asked: status.running?.runId === runId ? status.running : (parse(asked) as SyncRun | null),
    watermarks: { watermark, lastFullAt, lookedAt },
    snapshots: { snapshot: status.snapshot, triedAt, lastFullAt, changes: Number(changes ?? '0'), keptSince },
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

/** Only our own scripts write these values. */
function parse(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}

function textOf(budget: HostBudget | null): string {
  return budget === null ? '' : JSON.stringify(budget);
}

/**
 * Lua for scripts with `p`: `facts(run id)` gives what a run is decided by, as texts: the run under way, the last one, the one with
 * this id ('' = none is asked for), the number of the newest record and of changes, and fields of the state.
 */
const factsLua = /* lua */ `
local function facts(run_id)
  local runs = redis.call('LRANGE', p .. ':sync:runs', 0, run_id == '' and 0 or -1)
  local asked = false
  if run_id ~= '' then
    for _, text in ipairs(runs) do
      if string.find(text, '"runId":"' .. run_id .. '"', 1, true) then asked = text; break end
    end
  end
  local numbers = redis.call('MGET', p .. ':sync:run', p .. ':sequence', p .. ':changes')
  local fields = redis.call('HMGET', p .. ':sync:state', ${factFields.map((name) => `'${name}'`).join(', ')})
  return { numbers[1], runs[1] or false, asked, numbers[2], numbers[3], unpack(fields) }
end`;

/** ARGV: id of a run, or ''. */
const factsScript = defineScript(`
local p = KEYS[1]
${factsLua}
return facts(ARGV[1])
`);

/**
 * ARGV: ms to hold it, id of a run or ''. Answers the new holder's token, or '' while another holds the lease, and the facts that then
 * hold. Tokens only grow, also over a Redis that was emptied: they follow the server's clock, in microseconds, so that no old holder
 * finds its own again.
 */
const acquireScript = defineScript(`
local p = KEYS[1]
${factsLua}
if redis.call('EXISTS', p .. ':sync:lease') == 1 then return { '', facts(ARGV[2]) } end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', p .. ':sync:token') or '0')
local token = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
redis.call('SET', p .. ':sync:token', token)
redis.call('SET', p .. ':sync:lease', token, 'PX', ARGV[1])
return { token, facts(ARGV[2]) }
`);

const fence = `
local p = KEYS[1]
${leaseFence}`;

/**
 * Keeps a budget of host calls ('' = none), unless a later one is known. One that seems to be from over an hour later was noted
 * by a clock that was wrong; one without a time is of 0.1.0.
 */
const hear = `
local function hear(budget)
  if budget == '' then return end
  local known = redis.call('HGET', p .. ':sync:state', 'rateLimit')
  local ahead = known and (cjson.decode(known).heardAt or 0) - cjson.decode(budget).heardAt or 0
  if ahead <= 0 or ahead > 3600000 then redis.call('HSET', p .. ':sync:state', 'rateLimit', budget) end
end`;

/** ARGV: budget. */
const hearScript = defineScript(`
local p = KEYS[1]
${hear}
hear(ARGV[1])
return 'ok'
`);

/** ARGV: token, then field and value pairs of the state. */
const noteScript = defineScript(`${fence}
for i = 2, #ARGV, 2 do redis.call('HSET', p .. ':sync:state', ARGV[i], ARGV[i + 1]) end
return 'ok'
`);

/** ARGV: token, ms. */
const renewScript = defineScript(`${fence}
redis.call('PEXPIRE', p .. ':sync:lease', ARGV[2])
return 'ok'
`);

/** ARGV: token, budget. */
const releaseScript = defineScript(`${fence}${hear}
hear(ARGV[2])
redis.call('DEL', p .. ':sync:lease')
return 'ok'
`);

/**
 * KEYS: hash tag, bitmap of what was seen. ARGV: token, lease ms, state of the run, budget, bitmap's life in
 * seconds, then sequence numbers of the page. The page counts as done and its records as seen in one step.
 */
const checkpointScript = defineScript(`${fence}${hear}
redis.call('PEXPIRE', p .. ':sync:lease', ARGV[2])
redis.call('SET', p .. ':sync:run', ARGV[3])
hear(ARGV[4])
local batch = {}
for i = 6, #ARGV do
  local n = #batch
  batch[n + 1], batch[n + 2], batch[n + 3], batch[n + 4] = 'SET', 'u1', ARGV[i], '1'
  if n >= 2000 or i == #ARGV then
    redis.call('BITFIELD', KEYS[2], unpack(batch))
    batch = {}
  end
end
if #ARGV >= 6 then redis.call('EXPIRE', KEYS[2], ARGV[5]) end
return 'ok'
`);

/**
 * KEYS: hash tag, bitmap, report of the run, report of the last full run. ARGV: token, finished run, how many are kept, '1' where
 * its report takes the place of the last one, budget, then field and value pairs of the state.
 * The run ends and enters the history in one step. Answers the facts that then hold.
 */
const finishScript = defineScript(`${fence}${factsLua}${hear}
hear(ARGV[5])
redis.call('DEL', p .. ':sync:run', KEYS[2])
redis.call('LPUSH', p .. ':sync:runs', ARGV[2])
redis.call('LTRIM', p .. ':sync:runs', 0, tonumber(ARGV[3]) - 1)
if ARGV[4] == '1' then
  redis.call('UNLINK', KEYS[4])
  if redis.call('EXISTS', KEYS[3]) == 1 then
    redis.call('RENAME', KEYS[3], KEYS[4])
    redis.call('PERSIST', KEYS[4])
  end
else redis.call('UNLINK', KEYS[3]) end
for i = 6, #ARGV, 2 do redis.call('HSET', p .. ':sync:state', ARGV[i], ARGV[i + 1]) end
return facts('')
`);
