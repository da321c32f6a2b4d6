import type { HostBudget } from '../media-host/index.js';
import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import type { RunningRun } from './running-run.js';
import type { SyncProblem, SyncRun } from './sync-run.js';
import { factsScript, snapshotFactsScript } from './sync-scripts.js';

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

/** What tells whether a snapshot is due. */
export interface SnapshotFacts {
  /** The last one that was written, or that this catalog was refilled from. */
  snapshot: SnapshotNote | null;
  /** ISO 8601: when one was last begun. */
  triedAt: string | null;
  /** ISO 8601: start of the last full run that completed; null while nobody has looked at the whole host. */
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

/** As `factsScript` and `acquireScript` give them. */
export type FactTexts = [
  running: string | null,
  last: string | null,
  asked: string | null,
  fields: (string | null)[],
  sequence: string | null,
];

export function syncFactsOf([running, last, asked, fields, sequence]: FactTexts, runId = ''): SyncFacts {
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

/** What is known of runs. Throws CATALOG_UNAVAILABLE when Redis cannot serve. */
export function syncReads(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  const readRunning = (): Promise<RunningRun | null> =>
    guarded(async () => parse(await redis.get(keys.syncRun)) as RunningRun | null);

  const readFacts = (runId = ''): Promise<SyncFacts> =>
    guarded(async () => syncFactsOf((await factsScript(redis, [keys.prefix], [runId])) as FactTexts, runId));

  return {
    readRunning,
    /** All that a run is decided by, in one command. */
    readFacts,
    readStatus: async (): Promise<SyncStatus> => (await readFacts()).status,
    /** A run by its id: the one under way or one of the last 20. */
    findRun: async (runId: string): Promise<SyncRun | null> => (await readFacts(runId)).asked,
    /** What tells whether a snapshot is due. */
    readSnapshotFacts: (): Promise<SnapshotFacts> =>
      guarded(async () =>
        snapshotFactsOf((await snapshotFactsScript(redis, [keys.prefix], [])) as SnapshotTexts),
      ),
    readMarks: (): Promise<SyncMarks> =>
      guarded(async () => {
        const [watermark = null, lastFullAt = null, lookedAt = null] = await redis.hmget(
          keys.syncState,
          'watermark',
          'lastFullAt',
          'lookedAt',
        );
        return { watermark, lastFullAt, lookedAt };
      }),
  };
}

export type SnapshotTexts = [fields: (string | null)[], changes: string | null];

export function snapshotFactsOf([fields, changes]: SnapshotTexts): SnapshotFacts {
  const [snapshot = null, triedAt = null, lastFullAt = null, keptSince = null] = fields;
  return {
    snapshot: parse(snapshot) as SnapshotNote | null,
    triedAt,
    lastFullAt,
    changes: Number(changes ?? '0'),
    keptSince,
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

/** Only our own scripts write these values. */
function parse(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}
