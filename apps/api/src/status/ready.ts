import { HoldfastError, toHoldfastError } from '@holdfast/shared/errors';
import type { Settings } from '@holdfast/shared/config';
import { uploadScripts } from '@holdfast/shared/intents';
import { backlogScript } from '@holdfast/shared/jobs';
import { LOCAL_RESERVE_BYTES, type MediaHost } from '@holdfast/shared/media-host';
import {
  defineScript,
  fromRedisError,
  missingRights,
  type RedisClient,
  type RedisKeys,
} from '@holdfast/shared/redis';
import { endpoint } from '../http/endpoint.js';
import type { Shutdown } from '../http/shutdown.js';
import type { UploadSlots } from '../uploads/upload-slots.js';

export interface ReadyDependencies {
  settings: Pick<Settings, 'uploads'>;
  redis: { request: RedisClient };
  keys: RedisKeys;
  host: Pick<MediaHost, 'freeBytes' | 'uploadRefusal'>;
  shutdown: Pick<Shutdown, 'draining'>;
  uploadSlots: Pick<UploadSlots, 'full'>;
}

/** Balancers ask often and all at once; only Redis' answer is kept, what this process knows itself is looked up each time. */
const KNOWN_FOR_MS = 500;

/** KEYS: hash tag, probe. Counts what waits, as the opening of an upload does, and makes the same kind of write. */
const probeScript = defineScript(`${backlogScript}
redis.call('SET', KEYS[2], '1', 'EX', 60)
return backlog(KEYS[1])
`);

/** 200 when an upload that came now would be taken, else 503 with the reason an upload would get. */
export const ready = (deps: ReadyDependencies) => {
  let known: { refusal: Promise<HoldfastError | null>; at: number } | undefined;
  const redisRefusal = async (): Promise<HoldfastError | null> => {
    const now = performance.now();
    if (known === undefined || now - known.at > KNOWN_FOR_MS) known = { refusal: probeRedis(deps), at: now };
    return known.refusal;
  };
  return endpoint({
    handle: async () => {
      const refusal = (await ownRefusal(deps)) ?? (await redisRefusal());
      return refusal === null
        ? { status: 200, body: { status: 'ready' } }
        : { status: 503, body: { status: 'not ready', code: refusal.code, detail: refusal.message } };
    },
  });
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

/** Why Redis would refuse an upload now, or null. */
async function probeRedis({ settings, redis, keys }: ReadyDependencies): Promise<HoldfastError | null> {
  try {
    const [backlog, missing] = await Promise.all([
      probeScript(redis.request, [keys.prefix, keys.probe('ready')], []).then(Number),
      missingRights(redis.request, keys.probe('ready'), uploadScripts),
    ]);
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
