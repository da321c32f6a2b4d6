import { defineScript, redisEdge, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';
import { BAD_SIGNATURES } from '../status/findings.js';

/** A signature is good for so long, and may lead our clock by so much. */
export const GOOD_FOR_MS = 2 * 3_600_000;
export const AHEAD_MS = 5 * 60_000;

/** KEYS: the signed notification, the list of refused signatures, which a good one ends. ARGV: ms. 0 where it was taken before. */
const takeScript = defineScript(`
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return 0 end
redis.call('DEL', KEYS[2])
return 1
`);

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

/** Which signatures were used while they are good, and how many no secret fits; for the whole fleet. */
export function createSeenNotifications(
  redis: RedisClient,
  keys: Pick<RedisKeys, 'notification' | 'refusedSignatures'>,
) {
  const guarded = redisEdge('QUEUE_UNAVAILABLE');
  let refused: number[] = [];
  return {
    /** False where this very signature was used before. Throws QUEUE_UNAVAILABLE. */
    take: (signed: string): Promise<boolean> =>
      guarded(async () => {
        const named = [keys.notification(signed), keys.refusedSignatures];
        return (await takeScript(redis, named, [GOOD_FOR_MS + AHEAD_MS])) === 1;
      }),
    /** One more signature that no secret fits. */
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
