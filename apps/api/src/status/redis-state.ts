import { randomUUID } from 'node:crypto';
import type { DurabilityLevel } from '@holdfast/foundation/config';
import { withinMs } from '@holdfast/foundation/lifecycle';
import type { Catalog } from '@holdfast/shared/catalog';
import { placeOf, redisOutage, type Finding, type openServer } from '@holdfast/shared/durability';
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
} from '@holdfast/shared/redis';
import { syncFactsOf, type FactTexts, type SyncFacts } from '@holdfast/shared/sync';

/** Why Redis does not serve. */
export interface RedisFailure {
  /** In words without addresses or secrets. */
  message: string;
  /** True when the server answers but accepts no writes: reads may work. */
  connected: boolean;
  /** What an operator can do about it. */
  finding: Finding;
}

type OpenServer = Awaited<ReturnType<typeof openServer>>;
interface RedisStateOptions extends Pick<OpenServer, 'settings' | 'keys' | 'profile' | 'barrier' | 'server'> {
  /** The test record is written over the first connection, that of uploads, and read back over that of the barrier. */
  connections: readonly [RedisClient, ...RedisClient[]];
  catalog: Catalog;
  queues: MediaQueues;
}

const SHARED_MS = 500;
const PATIENCE_MS = 600;
/** With fsync every second the server takes up to two seconds. */
const CONFIRM_WITHIN_MS = 3_000;

export type RedisStates = ReturnType<typeof createRedisStates>;

/** What Redis shows of itself and of the deployment at one moment. All status answers are made from it. */
export type RedisState = Awaited<ReturnType<RedisStates['read']>>;

/** The one measurement that requests share: rented servers bill each command, and probes ask every few seconds. */
export function createRedisStates(options: RedisStateOptions) {
  const { connections, keys, profile, catalog, barrier, server } = options;
  const [redis] = connections;
  let last: { state: ReturnType<typeof measure>; endedAt: number | null; isDoubted: boolean } | undefined;
  const doubt = (): void => {
    if (last !== undefined) last.isDoubted = true;
  };
  const forget = (): void => {
    last = undefined;
  };
  for (const client of connections) for (const event of ['close', 'ready', 'error']) client.on(event, forget);

  const measure = async () => {
    const start = performance.now();
    const probe = { key: keys.probe(randomUUID()), value: randomUUID() };
    const looked = await lookOrFailure(probe);
    const { look } = looked;
    let { failure } = looked;
    const lookedMs = performance.now() - start;
    // A worker that has just started registers within moments.
    const isAttended = look?.announcedUntil.some((ms) => ms > Date.now()) === true;
    if (failure !== null || !isAttended) doubt();
    return {
      /** ISO 8601. */
      measuredAt: new Date().toISOString(),
      /** Null where Redis does not serve. */
      look,
      /** Why an upload would be refused, as far as is known by now; null when it would not. */
      get failure(): RedisFailure | null {
        return failure;
      },
      /** The rest is asked for once somebody needs it. Of the Redis server: */
      findings: once(() => server.findings()),
      /** How many workers are alive; null where that is unknown. */
      workers: once(async () =>
        look === null ? null : withinMs(PATIENCE_MS, countWorkers(options, look.announcedUntil), null),
      ),
      /** What the catalog holds; null where that is unknown. */
      counts: once(() => withinMs(PATIENCE_MS, catalog.counts(), null).catch(() => null)),
      /** What the server confirmed for the test record, null when the test failed, and how long it took. Then there is a failure. */
      test: once(async () => {
        // It may be requested some time after the first part.
        const askedAt = performance.now();
        let level: DurabilityLevel | null = null;
        try {
          if (failure === null) level = await confirm(probe);
        } catch (error) {
          failure = redisFailure(error, options);
          doubt();
        }
        const latencyMs = Math.round((lookedMs + performance.now() - askedAt) * 10) / 10;
        const passed = `written, read back and ${level === 'written' ? 'not confirmed to be on disk' : String(level)}`;
        return { level, latencyMs, message: failure?.message ?? passed };
      }),
    };
  };

  /** Where Redis only refuses writes, reads continue. */
  const lookOrFailure = async (probe: ProbeRecord) => {
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
     * What was measured up to half a second ago, or while all goes well up to `healthFreshMs` of the profile ago; else what is measured
     * now, at most once at a time. Never rejects.
     */
    read: async () => {
      const sharedMs = last?.isDoubted === true ? SHARED_MS : profile.healthFreshMs;
      if (last && (last.endedAt === null || performance.now() - last.endedAt < sharedMs)) return last.state;
      const begun: typeof last = { state: measure(), endedAt: null, isDoubted: false };
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

/** A record that is written. */
interface ProbeRecord {
  key: string;
  value: string;
}

/** A test record that nobody removed removes itself. It outlives the state that it belongs to. */
const LIFE_SECONDS = 120;

/**
 * KEYS: hash tag, a key of ours. ARGV: value to write to that key ('' = none), its life in seconds, JSON of the parts with the commands
 * that read each, then commands whose rights are checked. One script: services bill each command of a client, and a look has thirty.
 * What the user of Redis may not read counts as unknown; nothing else is affected.
 */
const lookScript = defineScript(`
${missingRightsLua}
local missing, replies = missing_rights(KEYS[2], 4), {}
if ARGV[1] ~= '' and #missing == 0 then redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2]) end
for n, part in ipairs(cjson.decode(ARGV[3])) do
  replies[n] = {}
  for at, command in ipairs(part) do
    local reply = redis.pcall(unpack(command))
    replies[n][at] = not (type(reply) == 'table' and reply.err) and reply
  end
end
return { missing, replies }
`);

/** What is read together, and what the replies mean: null for what may not be read. */
const part = <Value>(commands: readonly (readonly string[])[], read: (replies: never) => Value) => ({
  commands,
  read: read as (replies: unknown[]) => Value,
});

type Texts = readonly (string | null)[] | null;
const textOf = ([text]: [string | null]): string | null => text;

/** The parts of a look. */
const partsOf = (keys: RedisKeys) => ({
  /** When the registration of each worker expires, in ms. */
  announcedUntil: part([['ZRANGE', keys.workers, '0', '-1', 'WITHSCORES']], ([workers]: [Texts]) =>
    pairsOf(workers).map(([, until]) => Number(until)),
  ),
  queues: part(
    queueNames.flatMap((name) => [
      ['LLEN', keys.queue(name, 'wait')],
      ['ZCARD', keys.queue(name, 'prioritized')],
      ['LLEN', keys.queue(name, 'active')],
      ['ZCARD', keys.queue(name, 'delayed')],
      ['ZCARD', keys.queue(name, 'failed')],
      ['HEXISTS', keys.queue(name, 'meta'), 'paused'],
    ]),
    (numbers: (number | null)[]) => {
      const ofQueue = (at: number): { counts: QueueCounts; paused: boolean } => {
        const [waiting = 0, prioritized = 0, active = 0, delayed = 0, failed = 0, paused = 0] = numbers
          .slice(6 * at, 6 * at + 6)
          .map(Number);
        return { counts: { waiting: waiting + prioritized, active, delayed, failed }, paused: paused === 1 };
      };
      const entries = queueNames.map((name, at) => [name, ofQueue(at)]);
      return Object.fromEntries(entries) as Record<QueueName, ReturnType<typeof ofQueue>>;
    },
  ),
  sync: part(
    [
      ['GET', keys.syncRun],
      ['LRANGE', keys.syncRuns, '0', '0'],
      ['HGETALL', keys.syncState],
    ],
    // Without the counters, which would be one more command.
    (texts: FactTexts): Omit<SyncFacts, 'lastSequence' | 'changes'> => syncFactsOf(texts),
  ),
  /** Times of notifications whose signature no secret fits. */
  refusedSignatures: part([['LRANGE', keys.refusedSignatures, '0', '-1']], ([times]: [Texts]) =>
    (times ?? []).map(Number),
  ),
  /** Kinds of files, each with JSON of what the host answered instead of the file. */
  blockedDelivery: part([['HGETALL', keys.blockedDelivery]], ([kinds]: [Texts]) => pairsOf(kinds)),
  catalogHost: part([['GET', keys.host]], textOf),
  epoch: part([['GET', keys.epoch]], textOf),
});

type Parts = ReturnType<typeof partsOf>;
/** Everything from Redis that status answers need, read at one moment. */
export type RedisLook = { [Name in keyof Parts]: ReturnType<Parts[Name]['read']> };

const rightsChecked = commandsOf(uploadScripts);
const guarded = redisEdge('CATALOG_UNAVAILABLE');

/** Writes the probe, where one is given, and reads. Throws CATALOG_UNAVAILABLE. */
async function lookAtRedis(redis: RedisClient, keys: RedisKeys, probe: ProbeRecord | null) {
  const parts = Object.entries(partsOf(keys));
  const commands = JSON.stringify(parts.map(([, one]) => one.commands));
  const [missingRights, replies] = (await guarded(() =>
    lookScript(
      redis,
      [keys.prefix, probe?.key ?? keys.probe('status')],
      [probe?.value ?? '', LIFE_SECONDS, commands, ...rightsChecked],
    ),
  )) as unknown as [string[], unknown[][]];
  const look = Object.fromEntries(parts.map(([name, { read }], at) => [name, read(replies[at] ?? [])]));
  return { look: look as RedisLook, missingRights };
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
  // Between two attempts to connect, what the server said at the last one.
  const isAway = redisErrorKind(error) === 'unreachable';
  const said = isAway ? (connections.map(connectionError).find(Boolean) ?? error) : error;
  const fault = redisFault(said);
  const { kind, refusal, message, code, fix } = fault;
  if (kind !== 'refused' && kind !== 'demoted') {
    const outage = redisOutage(settings.redis, said);
    const place = placeOf(settings.redis.connection);
    const finding = uploadsRefused(code, `${place} does not serve: ${outage.why}`, outage.fix);
    return { message, connected: false, finding };
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
