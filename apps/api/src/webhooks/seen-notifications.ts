import { defineScript, redisEdge, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { BAD_SIGNATURES } from '../status/findings.js';

/** A signature is good for so long, and may lead our clock by so much. */
export const GOOD_FOR_MS = 2 * 3_600_000;
export const AHEAD_MS = 5 * 60_000;
/** While a signature is good, the same one is recognized when it comes again. */
const REMEMBER_MS = GOOD_FOR_MS + AHEAD_MS;

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

/** KEYS: the list of refused signatures. ARGV: a time, how many it keeps, ms that it lives. Newest first. */
const noteRefusedScript = defineScript(`
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
return redis.call('PEXPIRE', KEYS[1], ARGV[3])
`);
const REFUSED_KEPT_MS = 3_600_000;
/** Anybody can send bad signatures: in this time Redis gets no more of them than make the finding WEBHOOK_SIGNATURES. */
const REFUSED_WINDOW_MS = 1_800_000;

export type SeenNotifications = ReturnType<typeof createSeenNotifications>;

/** Which notifications were received while their signatures are good. Throws QUEUE_UNAVAILABLE when Redis cannot serve. */
export function createSeenNotifications(
  redis: RedisClient,
  keys: Pick<RedisKeys, 'notification' | 'refusedSignatures'>,
) {
  const run = redisEdge('QUEUE_UNAVAILABLE');
  let refused: number[] = [];
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
    /** One more signature that no secret fits, for the whole fleet to see. */
    noteRefused: (): void => {
      const now = Date.now();
      refused = refused.filter((at) => at > now - REFUSED_WINDOW_MS);
      if (refused.length >= BAD_SIGNATURES) return;
      refused.push(now);
      // It is a notice: one that is lost with Redis does no harm.
      noteRefusedScript(redis, [keys.refusedSignatures], [now, BAD_SIGNATURES, REFUSED_KEPT_MS]).catch(
        () => undefined,
      );
    },
  };
}
