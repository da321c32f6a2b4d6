import { HoldfastError, toHoldfastError } from '@holdfast/foundation/errors';
import type { Settings } from '@holdfast/foundation/config';
import { uploadScripts } from '@holdfast/shared/intents';
import { backlogScript } from '@holdfast/shared/jobs';
import { LOCAL_RESERVE_BYTES, type MediaHost } from '@holdfast/shared/media-host';
import {
  commandsOf,
  defineScript,
  fromRedisError,
  missingRightsLua,
  type RedisClient,
  type RedisKeys,
} from '@holdfast/shared/redis';
import type { Answer } from '../http/endpoint.js';
import type { Shutdown } from '../http/shutdown.js';
import type { UploadSlots } from '../uploads/admission.js';
import type { RecentResults } from './recent-results.js';

export interface ReadyDependencies {
  settings: Pick<Settings, 'uploads'>;
  redis: { request: RedisClient };
  keys: RedisKeys;
  host: Pick<MediaHost, 'freeBytes' | 'uploadRefusal'>;
  shutdown: Pick<Shutdown, 'draining'>;
  uploadSlots: Pick<UploadSlots, 'full'>;
  recentResults: Pick<RecentResults, 'share'>;
}

/** A refusal is checked again soon: a client that polls wants to know when it is over. */
const REFUSAL_MS = 500;

/** The process is up and its event loop turns; nothing else is asked. */
export const live = () => async (): Promise<Answer> => ({ status: 200, body: { status: 'ok' } });

/** 200 when an upload that came now would be taken, else 503 with the reason an upload would get. */
export const ready = (deps: ReadyDependencies) => {
  // Balancers ask often and all at once; only Redis' answer is kept, what this process knows itself is looked up each time.
  const redisRefusal = deps.recentResults.share(
    () => probeRedis(deps),
    (refusal) => (refusal === null ? Infinity : REFUSAL_MS),
  );
  return async (): Promise<Answer> => {
    const refusal = (await ownRefusal(deps)) ?? (await redisRefusal()).value;
    return refusal === null
      ? { status: 200, body: { status: 'ready' } }
      : { status: 503, body: { status: 'not ready', code: refusal.code, detail: refusal.message } };
  };
};

/** Why this process or its host would refuse an upload now, or null. */
async function ownRefusal({ shutdown, host, uploadSlots }: ReadyDependencies): Promise<HoldfastError | null> {
  if (shutdown.draining.aborted) return new HoldfastError('SHUTTING_DOWN');
  if (uploadSlots.full) return new HoldfastError('OVERLOADED', 'too many uploads at once');
  try {
    const free = await host.freeBytes();
    if (free !== null && free < LOCAL_RESERVE_BYTES) return new HoldfastError('STORAGE_FULL');
  } catch (error) {
    return toHoldfastError(error);
  }
  return host.uploadRefusal();
}

/**
 * KEYS: hash tag, probe. ARGV: commands. Counts what waits, as the opening of an upload does, and makes the same kind of write. Answers
 * the count, and those of the commands that the user of this connection may not call: then nothing is written.
 */
const probeScript = defineScript(`${backlogScript}${missingRightsLua}
local missing = missing_rights(KEYS[2], 1)
if #missing > 0 then return { 0, missing } end
redis.call('SET', KEYS[2], '1', 'EX', 60)
return { backlog(KEYS[1]), missing }
`);
const rightsChecked = commandsOf(uploadScripts);

/** Why Redis would refuse an upload now, or null. */
async function probeRedis({ settings, redis, keys }: ReadyDependencies): Promise<HoldfastError | null> {
  try {
    const probed = await probeScript(redis.request, [keys.prefix, keys.probe('ready')], rightsChecked);
    const [backlog, missing] = probed as [number, string[]];
    if (missing.length > 0)
      return new HoldfastError(
        'QUEUE_UNAVAILABLE',
        `the user of Redis has no right to ${missing.join(', ')}`,
      );
    return backlog > settings.uploads.maxBacklog
      ? new HoldfastError('OVERLOADED', 'too many jobs wait')
      : null;
  } catch (error) {
    return fromRedisError(error, 'QUEUE_UNAVAILABLE');
  }
}
