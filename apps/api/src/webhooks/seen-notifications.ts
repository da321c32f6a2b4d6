import { defineScript, redisEdge, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { REMEMBER_MS } from './verify-notification.js';

/** After a crash in the middle, the host's next try is taken for new. */
const PENDING_MS = 30_000;
/** The state before the timestamps, which is `p` while it is handled. */
const DONE = 'd';

/**
 * KEYS: the notification, the list of refused signatures, which a good one ends. ARGV: timestamp, ms while it is handled, ms after
 * that. What is stored is a state and the timestamps under which it was taken, with commas. Answers a Taken.
 */
const takeScript = defineScript(`
local seen = redis.call('GET', KEYS[1])
local replayed = seen and string.find(',' .. string.sub(seen, 2) .. ',', ',' .. ARGV[1] .. ',', 1, true)
if replayed then return 'replayed' end
redis.call('DEL', KEYS[2])
if not seen then
  redis.call('SET', KEYS[1], 'p' .. ARGV[1], 'PX', ARGV[2])
  return 'fresh'
end
if string.sub(seen, 1, 1) == 'p' then return 'busy' end
redis.call('SET', KEYS[1], seen .. ',' .. ARGV[1], 'PX', ARGV[3])
return 'again'
`);

/**
 * fresh: ours to handle. replayed: this very signature was used before. again: the host delivers it once more, signed anew,
 * and it was handled. busy: the same, while another process handles it.
 */
export type Taken = 'fresh' | 'replayed' | 'again' | 'busy';

/** Which notifications were received while their signatures are good. Throws QUEUE_UNAVAILABLE when Redis cannot serve. */
export function createSeenNotifications(
  redis: RedisClient,
  keys: Pick<RedisKeys, 'notification' | 'refusedSignatures'>,
) {
  const run = redisEdge('QUEUE_UNAVAILABLE');
  return {
    take: (hash: string, timestamp: string): Promise<Taken> =>
      run(
        async () =>
          (await takeScript(
            redis,
            [keys.notification(hash), keys.refusedSignatures],
            [timestamp, PENDING_MS, REMEMBER_MS],
          )) as Taken,
      ),
    done: (hash: string, timestamp: string): Promise<void> =>
      run(async () => {
        await redis.set(keys.notification(hash), DONE + timestamp, 'PX', REMEMBER_MS);
      }),
    /** It could not be handled: the next delivery is fresh. */
    forget: (hash: string): Promise<void> =>
      run(async () => {
        await redis.del(keys.notification(hash));
      }),
  };
}

export type SeenNotifications = ReturnType<typeof createSeenNotifications>;
