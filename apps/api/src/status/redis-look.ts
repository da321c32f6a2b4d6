import { uploadScripts } from '@holdfast/shared/intents';
import { queueNames, type QueueCounts, type QueueName } from '@holdfast/shared/jobs';
import {
  commandsOf,
  defineScript,
  missingRightsLua,
  redisEdge,
  type RedisClient,
  type RedisKeys,
} from '@holdfast/shared/redis';
import { syncStatusOf, type SyncStatus } from '@holdfast/shared/sync';

export interface QueueLook {
  counts: QueueCounts;
  paused: boolean;
}

/** Everything from Redis that status answers need, read at one moment. */
export interface RedisLook {
  /** When the registration of each worker expires, in ms. */
  announcedUntil: number[];
  queues: Record<QueueName, QueueLook>;
  sync: SyncStatus;
  /** Times of notifications whose signature no secret fits. */
  refusedSignatures: number[];
  /** By kind of file: what the host answered instead of the file, as JSON. */
  blockedDelivery: Record<string, string>;
  catalogHost: string | null;
  /** Commands of uploads that the user of Redis may not call. */
  missingRights: string[];
}

/** A record to write, together with how long it lasts if nobody removes it. */
export interface ProbeRecord {
  key: string;
  value: string;
  seconds: number;
}

const STATUS_FIELDS = ['lastFullRun', 'recentErrors', 'rateLimit', 'snapshot'] as const;

/**
 * KEYS: hash tag, a key of ours. ARGV: value to write to that key ('' = none), its life in seconds, how many queues, their names,
 * then commands whose rights are checked. One script: services bill each command of a client, and a look has twenty.
 */
const lookScript = defineScript(`
local p, call = KEYS[1], redis.call
${missingRightsLua}
local missing = missing_rights(KEYS[2], 4 + tonumber(ARGV[3]))
if ARGV[1] ~= '' and #missing == 0 then call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2]) end
-- What a user of Redis may not read is not known, and no more than that.
local function ask(...)
  local reply = redis.pcall(...)
  return not (type(reply) == 'table' and reply.err) and reply
end
local queues, last = {}, 3 + tonumber(ARGV[3])
for i = 4, last do
  local q = p .. ':' .. ARGV[i] .. ':'
  queues[#queues + 1] = {
    call('LLEN', q .. 'wait') + call('ZCARD', q .. 'prioritized'), call('LLEN', q .. 'active'), call('ZCARD', q .. 'delayed'),
    call('ZCARD', q .. 'failed'), ask('HEXISTS', q .. 'meta', 'paused'),
  }
end
return {
  queues, ask('ZRANGE', p .. ':workers', 0, -1, 'WITHSCORES'),
  ask('GET', p .. ':sync:run'), ask('LINDEX', p .. ':sync:runs', 0),
  ask('HMGET', p .. ':sync:state', '${STATUS_FIELDS.join("', '")}'),
  ask('LRANGE', p .. ':notifications:refused', 0, -1), ask('HGETALL', p .. ':delivery:blocked'), ask('GET', p .. ':host'),
  missing,
}
`);

type Texts = (string | null)[];
type Reply = [
  queues: [waiting: number, active: number, delayed: number, failed: number, paused: number | null][],
  workers: string[] | null,
  running: string | null,
  last: string | null,
  state: Texts | null,
  refused: string[] | null,
  blocked: string[] | null,
  host: string | null,
  missing: string[],
];

const rightsChecked = commandsOf(uploadScripts);
const guarded = redisEdge('CATALOG_UNAVAILABLE');

/** Writes the probe, where one is given, and reads. Throws CATALOG_UNAVAILABLE. */
export async function lookAtRedis(
  redis: RedisClient,
  keys: Pick<RedisKeys, 'prefix' | 'probe'>,
  probe: ProbeRecord | null = null,
): Promise<RedisLook> {
  const names = [queueNames.length, ...queueNames];
  const [queues, workers, running, last, state, refused, blocked, host, missing] = (await guarded(() =>
    lookScript(
      redis,
      [keys.prefix, probe?.key ?? keys.probe('status')],
      [probe?.value ?? '', probe?.seconds ?? 0, ...names, ...rightsChecked],
    ),
  )) as unknown as Reply;
  const [lastFullRun = null, recentErrors = null, rateLimit = null, snapshot = null] = state ?? [];
  return {
    announcedUntil: (workers ?? []).filter((_, index) => index % 2 === 1).map(Number),
    queues: Object.fromEntries(queueNames.map((name, index) => [name, queueLook(queues[index])])) as Record<
      QueueName,
      QueueLook
    >,
    sync: syncStatusOf({ running, last, lastFullRun, recentErrors, rateLimit, snapshot }),
    refusedSignatures: (refused ?? []).map(Number),
    blockedDelivery: Object.fromEntries(
      (blocked ?? []).flatMap((kind, index, all) =>
        index % 2 === 0 ? [[kind, all[index + 1] ?? '{}']] : [],
      ),
    ),
    catalogHost: host,
    missingRights: missing,
  };
}

function queueLook(reply: Reply[0][number] | undefined): QueueLook {
  const [waiting = 0, active = 0, delayed = 0, failed = 0, paused = 0] = reply ?? [];
  return { counts: { waiting, active, delayed, failed }, paused: paused === 1 };
}
