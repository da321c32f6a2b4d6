import {
  defineScript,
  leaseFence,
  redisEdge,
  scriptEdge,
  unlessFenced,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';
import { recordLua } from './record.js';

const BATCH = 500;

/** ARGV: token, ms, how many to pass over, how many to look at. Answers {looked at, ended}. A record that is left is still being deleted. */
const endScript = defineScript(`${recordLua}${leaseFence}
local ids = redis.call('ZRANGEBYSCORE', p .. ':tombstones', '-inf', '(' .. ARGV[2], 'LIMIT', ARGV[3], ARGV[4])
local ended = 0
for _, id in ipairs(ids) do
  if redis.call('EXISTS', record_key(id)) == 0 then
    redis.call('ZREM', p .. ':tombstones', id)
    ended = ended + 1
  end
end
return { #ids, ended }
`);

/** What keeps deleted files away, and until when. Throws CATALOG_UNAVAILABLE when Redis cannot serve. */
export function tombstones(redis: RedisClient, keys: RedisKeys) {
  const run = scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE');
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  return {
    /** The host still shows assets of these ids, so that their tombstones may not end yet. */
    keepTombstones: (ids: readonly string[]): Promise<void> =>
      guarded(async () => {
        const members = ids.flatMap((id) => [Date.now(), id]);
        if (ids.length > 0) await redis.zadd(keys.tombstones, 'XX', ...members);
      }),
    /**
     * Ends the tombstones from before `beforeMs` whose removal the host has confirmed. Answers how many. `token` is that of the lease
     * of syncs: throws RUN_SUPERSEDED when another run holds it.
     */
    endTombstones: async (beforeMs: number, token: string): Promise<number> => {
      let total = 0;
      for (let passed = 0; ;) {
        const reply = unlessFenced(await run(endScript, [token, beforeMs, passed, BATCH]));
        const [seen = 0, ended = 0] = reply as number[];
        total += ended;
        passed += seen - ended;
        if (seen < BATCH) return total;
      }
    },
  };
}
