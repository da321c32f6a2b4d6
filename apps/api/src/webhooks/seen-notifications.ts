import { defineScript, fromRedisError, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { REMEMBER_MS } from './verify-notification.js';

/** After a crash in the middle, the host's next try is taken for new. */
const PENDING_MS = 30_000;
const PENDING = 'p';
const DONE = 'd';

/** KEYS: the notification. ARGV: value, ms. Answers what was there, '' when nothing was and the value is there now. */
const claimScript = defineScript(`
local seen = redis.call('GET', KEYS[1])
if seen then return seen end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ''
`);

/**
 * fresh: ours to handle. replayed: this very signature was used before. again: the host delivers it once more, signed anew,
 * and it was handled. busy: the same, while another process handles it.
 */
export type Claim = 'fresh' | 'replayed' | 'again' | 'busy';

/** Which notifications were received while their signatures are good. Throws QUEUE_UNAVAILABLE when Redis cannot serve. */
export function createSeenNotifications(redis: RedisClient, keys: Pick<RedisKeys, 'notification'>) {
  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw fromRedisError(error, 'QUEUE_UNAVAILABLE');
    }
  };
  return {
    claim: (hash: string, timestamp: string): Promise<Claim> =>
      run(async () => {
        const seen = await claimScript(redis, [keys.notification(hash)], [PENDING + timestamp, PENDING_MS]);
        if (typeof seen !== 'string' || seen === '') return 'fresh';
        if (seen.slice(1) === timestamp) return 'replayed';
        return seen.startsWith(DONE) ? 'again' : 'busy';
      }),
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
