import { randomUUID } from 'node:crypto';
import type { DurabilityLevel, RedisSettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Catalog } from '@holdfast/shared/catalog';
import {
  placeOf,
  redisOutage,
  type Barrier,
  type Finding,
  type ServerMonitor,
} from '@holdfast/shared/durability';
import { uploadScripts } from '@holdfast/shared/intents';
import { queueNames, type MediaQueues, type QueueCounts, type QueueName } from '@holdfast/shared/jobs';
import {
  commandsOf,
  connectionError,
  defineScript,
  missingRightsLua,
  pairsOf,
  redisEdge,
  redisErrorKind,
  redisFault,
  type RedisClient,
  type RedisFault,
  type RedisKeys,
  type RedisProfile,
} from '@holdfast/shared/redis';
import { syncFactsOf } from '@holdfast/shared/sync';

/** What Redis shows of itself and of the deployment at one moment. All status answers are made from it. */
export interface RedisState {
  /** ISO 8601. */
  measuredAt: string;
  /** Null where Redis does not serve. */
  look: RedisLook | null;
  /** Why an upload would be refused, as far as is known by now; null when it would not. */
  failure: RedisFailure | null;
  /** The rest is asked for once somebody needs it. Of the Redis server: */
  findings(): Promise<readonly Finding[]>;
  /** How many workers are alive; null where that is unknown. */
  workers(): Promise<number | null>;
  /** What the catalog holds; null where that is unknown. */
  counts(): Promise<Awaited<ReturnType<Catalog['counts']>> | null>;
  /** What the server confirmed for the test record, null when the test failed, and how long it took. Then the state has a failure. */
  test(): Promise<{ level: DurabilityLevel | null; latencyMs: number; message: string }>;
}

/** Why Redis does not serve. */
export interface RedisFailure {
  /** In words without addresses or secrets. */
  message: string;
  /** True when the server answers but accepts no writes: reads may work. */
  connected: boolean;
  /** What an operator can do about it. */
  finding: Finding;
}

export interface RedisStateOptions {
  /** The test record is written over the first connection, that of uploads, and read back over that of the barrier. */
  connections: readonly [RedisClient, ...RedisClient[]];
  keys: RedisKeys;
  profile: RedisProfile;
  catalog: Pick<Catalog, 'counts'>;
  queues: Pick<MediaQueues, 'queues'>;
  barrier: Pick<Barrier, 'confirmRemoving'>;
  server: Pick<ServerMonitor, 'findings'>;
  settings: RedisSettings;
}

const SHARED_MS = 500;
const PATIENCE_MS = 600;
/** With fsync every second the server takes up to two seconds. */
const CONFIRM_WITHIN_MS = 3_000;

export type RedisStates = ReturnType<typeof createRedisStates>;

/** The one measurement that requests share: rented servers bill each command, and probes ask every few seconds. */
export function createRedisStates(options: RedisStateOptions) {
  const { connections, keys, profile, catalog, barrier, server } = options;
  const [redis] = connections;
  // While it is being measured its age is below zero.
  let last: { state: Promise<RedisState>; endedAt: number; isDoubted: boolean } | undefined;
  const doubt = (): void => {
    if (last !== undefined) last.isDoubted = true;
  };
  const forget = (): void => {
    last = undefined;
  };
  for (const client of connections) for (const event of ['close', 'ready', 'error']) client.on(event, forget);

  const measure = async (): Promise<RedisState> => {
    const start = performance.now();
    const probe = { key: keys.probe(randomUUID()), value: randomUUID() };
    const { look, failure } = await lookOrFailure(probe);
    const lookedMs = performance.now() - start;
    // A worker that has just started registers within moments.
    const isAttended = look?.announcedUntil.some((ms) => ms > Date.now()) === true;
    if (failure !== null || !isAttended) doubt();
    const state: RedisState = {
      measuredAt: new Date().toISOString(),
      look,
      failure,
      findings: once(() => server.findings()),
      workers: once(async () =>
        look === null ? null : withinMs(PATIENCE_MS, countWorkers(options, look.announcedUntil), null),
      ),
      counts: once(() => withinMs(PATIENCE_MS, catalog.counts(), null).catch(() => null)),
      test: once(async () => {
        // It may be requested some time after the first part.
        const askedAt = performance.now();
        let level: DurabilityLevel | null = null;
        try {
          if (failure === null) level = await confirm(probe);
        } catch (error) {
          state.failure = redisFailure(error, options);
          doubt();
        }
        const latencyMs = Math.round((lookedMs + performance.now() - askedAt) * 10) / 10;
        const message = `written, read back and ${level === 'written' ? 'not confirmed to be on disk' : String(level)}`;
        return { level, latencyMs, message: state.failure?.message ?? message };
      }),
    };
    return state;
  };

  /** Where Redis only refuses writes, reads continue. */
  const lookOrFailure = async (probe: ProbeRecord): Promise<Pick<RedisState, 'look' | 'failure'>> => {
    try {
      const { look, missingRights } = await lookAtRedis(redis, keys, probe);
      return { look, failure: missingRights.length > 0 ? rightsMissing(missingRights) : null };
    } catch (error) {
      const failure = redisFailure(error, options);
      const seen = failure.connected ? await lookAtRedis(redis, keys, null).catch(() => null) : null;
      return { look: seen?.look ?? null, failure };
    }
  };

  /**
   * Reads the record back over another connection, removes it, and asks how safe that is. That the removal is confirmed confirms
   * the record, which was written before it.
   */
  const confirm = async ({ key, value }: ProbeRecord): Promise<DurabilityLevel> => {
    const confirmed = await withinMs(CONFIRM_WITHIN_MS, barrier.confirmRemoving(key), null);
    if (confirmed?.value === value) return confirmed.level;
    throw new Error(confirmed === null ? 'Command timed out' : 'the test record was read back changed');
  };

  return {
    /**
     * What was measured up to half a second ago, while all goes well for as long as the profile says, else what is measured now, at most
     * once at a time. Never rejects.
     */
    read: async (): Promise<RedisState> => {
      if (last !== undefined) {
        const ageMs = performance.now() - last.endedAt;
        if (ageMs < (last.isDoubted ? SHARED_MS : profile.healthFreshMs)) return last.state;
      }
      const begun = { state: measure(), endedAt: Infinity, isDoubted: false };
      last = begun;
      try {
        return await begun.state;
      } finally {
        begun.endedAt = performance.now();
      }
    },
    /** A request met a failure of Redis: what was measured counts for half a second at most. */
    doubt,
    /** The next request measures. */
    forget,
  };
}

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= ask());
}

/** Everything from Redis that status answers need, read at one moment. */
export type RedisLook = Awaited<ReturnType<typeof lookAtRedis>>['look'];

/** A record that is written. */
interface ProbeRecord {
  key: string;
  value: string;
}

/** A test record that nobody removed removes itself. It outlives the state that it belongs to. */
const LIFE_SECONDS = 120;

/**
 * KEYS: hash tag, a key of ours. ARGV: value to write to that key ('' = none), its life in seconds, JSON of the commands that read, then
 * commands whose rights are checked. One script: services bill each command of a client, and a look has thirty. What the user of Redis
 * may not read counts as unknown; nothing else is affected.
 */
const lookScript = defineScript(`
${missingRightsLua}
local missing, replies = missing_rights(KEYS[2], 4), {}
if ARGV[1] ~= '' and #missing == 0 then redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2]) end
for n, command in ipairs(cjson.decode(ARGV[3])) do
  local reply = redis.pcall(unpack(command))
  replies[n] = not (type(reply) == 'table' and reply.err) and reply
end
return { missing, replies }
`);

type Texts = readonly (string | null)[];
type Replies = [
  workers: Texts | null,
  running: string | null,
  runs: string[] | null,
  state: string[] | null,
  refused: Texts | null,
  blocked: Texts | null,
  host: string | null,
  epoch: string | null,
  ...queues: (number | null)[],
];

const rightsChecked = commandsOf(uploadScripts);
const guarded = redisEdge('CATALOG_UNAVAILABLE');

/** Writes the probe, where one is given, and reads. Throws CATALOG_UNAVAILABLE. */
async function lookAtRedis(redis: RedisClient, keys: RedisKeys, probe: ProbeRecord | null) {
  const reads = [
    ['ZRANGE', keys.workers, '0', '-1', 'WITHSCORES'],
    ['GET', keys.syncRun],
    ['LRANGE', keys.syncRuns, '0', '0'],
    ['HGETALL', keys.syncState],
    ['LRANGE', keys.refusedSignatures, '0', '-1'],
    ['HGETALL', keys.blockedDelivery],
    ['GET', keys.host],
    ['GET', keys.epoch],
    ...queueNames.flatMap((name) => [
      ['LLEN', keys.queue(name, 'wait')],
      ['ZCARD', keys.queue(name, 'prioritized')],
      ['LLEN', keys.queue(name, 'active')],
      ['ZCARD', keys.queue(name, 'delayed')],
      ['ZCARD', keys.queue(name, 'failed')],
      ['HEXISTS', keys.queue(name, 'meta'), 'paused'],
    ]),
  ];
  const [missingRights, replies] = (await guarded(() =>
    lookScript(
      redis,
      [keys.prefix, probe?.key ?? keys.probe('status')],
      [probe?.value ?? '', LIFE_SECONDS, JSON.stringify(reads), ...rightsChecked],
    ),
  )) as unknown as [string[], Replies];
  const [workers, running, runs, state, refused, blocked, catalogHost, epoch, ...ofQueues] = replies;
  const ofQueue = (at: number): { counts: QueueCounts; paused: boolean } => {
    const [waiting = 0, prioritized = 0, active = 0, delayed = 0, failed = 0, paused = 0] = ofQueues
      .slice(6 * at, 6 * at + 6)
      .map(Number);
    return { counts: { waiting: waiting + prioritized, active, delayed, failed }, paused: paused === 1 };
  };
  const look = {
    /** When the registration of each worker expires, in ms. */
    announcedUntil: pairsOf(workers).map(([, until]) => Number(until)),
    queues: Object.fromEntries(queueNames.map((name, at) => [name, ofQueue(at)])) as Record<
      QueueName,
      ReturnType<typeof ofQueue>
    >,
    sync: syncFactsOf([running, runs, state]),
    /** Times of notifications whose signature no secret fits. */
    refusedSignatures: (refused ?? []).map(Number),
    /** Kinds of files, each with JSON of what the host answered instead of the file. */
    blockedDelivery: pairsOf(blocked),
    catalogHost,
    epoch,
  };
  return { look, missingRights };
}

/**
 * How many workers are alive; null where that is unknown. `announcedUntil`: when each registration expires, in ms.
 * Workers register every minute, and a killed one stays registered for a while: so only as many count as also have a connection,
 * where the server shows that. An expired registration stays in the list: an empty one tells that Redis was emptied, or that the
 * last worker left. Then the connections alone count.
 */
async function countWorkers(
  { profile, queues: { queues } }: RedisStateOptions,
  announcedUntil: readonly number[],
): Promise<number | null> {
  // A proxy in front of the server knows its own connections only.
  const workers = profile.name === 'upstash' ? null : await queues.verify.getWorkers().catch(() => null);
  // Where the server does not show them BullMQ gives one entry without an address, or passes the refusal on.
  const isShown = workers?.every((worker) => worker['addr'] !== undefined) === true;
  const connected = isShown ? workers.length : null;
  if (announcedUntil.length === 0) return connected ?? 0;
  return Math.min(announcedUntil.filter((ms) => ms > Date.now()).length, connected ?? Infinity);
}

/** What an error of one of these connections means; the first one is that of uploads. */
function redisFailure(error: unknown, { connections, settings }: RedisStateOptions): RedisFailure {
  const cause = error instanceof HoldfastError ? error.cause : error;
  // Between two attempts to connect, what the server said at the last one.
  const isAway = redisErrorKind(cause) === 'unreachable';
  const said = isAway ? (connections.map(connectionError).find(Boolean) ?? cause) : cause;
  const fault = redisFault(said);
  const { kind, refusal, message, code, fix } = fault;
  if (kind !== 'refused' && kind !== 'demoted') {
    const outage = redisOutage(settings, said);
    const what = `does not serve: ${outage.why}`;
    const finding = uploadsRefused(code, `${placeOf(settings.connection)} ${what}`, outage.fix);
    return { message: `Redis ${what}`, connected: false, finding };
  }
  const isForSome = refusal === 'connections' && connections[0].status === 'ready';
  return {
    message,
    connected: refusal !== 'connections' || isForSome,
    finding: isForSome ? someRefused(fault) : uploadsRefused(code, message, fix),
  };
}

/** While some connections of this API are refused, and not the one that uploads need. */
export function someRefused({ code, message, fix }: RedisFault): Finding {
  return { code, severity: 'warning', message: `${message}. Some connections of this API are missing.`, fix };
}

/** Uploads are refused, since the user of Redis may not call these commands. */
function rightsMissing(commands: readonly string[]): RedisFailure {
  const message = `The user of Redis has no right to ${commands.join(', ')}`;
  const rights = commands.map((name) => `+${name.toLowerCase()}`).join(' ');
  const fix = `Give the user the rights to these commands: "ACL SETUSER <name> ${rights}".`;
  return { message, connected: true, finding: uploadsRefused('RIGHTS_MISSING', message, fix) };
}

function uploadsRefused(code: string, message: string, fix: string): Finding {
  return { code, severity: 'error', message: `${message}. Uploads are refused.`, fix };
}
