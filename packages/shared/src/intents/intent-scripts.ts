import { prelude } from '../catalog/script-prelude.js';
import { claimPrelude } from '../idempotency/claim-scripts.js';
import { backlogScript } from '../jobs/index.js';
import { defineScript } from '../redis/index.js';

/**
 * ARGV: id, publicId, largest backlog. Opens a live intent unless too many jobs wait, or what an earlier try under this
 * id left on the host is just being removed: the removal could take the new asset.
 */
export const openScript = defineScript(`${prelude}${backlogScript}
local id = ARGV[1]
if redis.call('HGET', p .. ':intent:' .. id, 'state') == 'dead' then return 'overloaded' end
if backlog(p) > tonumber(ARGV[3]) then return 'overloaded' end
local key = p .. ':intent:' .. id
-- What an earlier try under this id settled stays so, and what it may have left is still looked for under its name.
if redis.call('HGET', key, 'state') ~= 'settled' then redis.call('HSET', key, 'state', 'live', 'tries', 0) end
redis.call('HSETNX', key, 'publicId', ARGV[2])
redis.call('ZADD', p .. ':intents', now_ms(), id)
return 'opened'
`);

/** ARGV: ids. Moves the heartbeat of those that are live; answers the state of each. */
export const beatScript = defineScript(`${prelude}
local states = {}
for _, id in ipairs(ARGV) do
  local state = redis.call('HGET', p .. ':intent:' .. id, 'state')
  if state == 'live' then redis.call('ZADD', p .. ':intents', 'XX', now_ms(), id) end
  states[#states + 1] = state or 'absent'
end
return states
`);

/** ARGV: id, publicId. Notes what the sweep must look for, once the kind is known. */
export const describeScript = defineScript(`${prelude}
local key = p .. ':intent:' .. ARGV[1]
if redis.call('HGET', key, 'state') ~= 'live' then return 'dead' end
redis.call('HSET', key, 'publicId', ARGV[2])
return 'noted'
`);

/**
 * ARGV: id, pushedRevision, content, '1' = also when the intent is gone (its asset is committed, nobody may destroy it),
 * then of a claim: key ('' = none), token, print, keep ms, '1' = only while no other try has it.
 * live -> settled, the record in the catalog as saving and the claim done, in one step. A swept intent refuses, and so
 * does a claim that another try has. Where the intent was wiped with Redis, a record under this id says that a sync has
 * found the asset with its commit mark.
 */
export const acceptScript = defineScript(`${prelude}${claimPrelude}
local id = ARGV[1]
local state = redis.call('HGET', p .. ':intent:' .. id, 'state')
if state == 'dead' then return 'dead' end
if not state and ARGV[4] ~= '1' and redis.call('EXISTS', record_key(id)) == 0 then return 'dead' end
local claim = ARGV[5]
if claim ~= '' and ARGV[9] == '1' and is_taken(claim, id, ARGV[6]) then return 'dead' end
local outcome = save(id, '', tonumber(ARGV[2]), ARGV[3])
if outcome == 'tombstoned' then return outcome end
redis.call('HSET', p .. ':intent:' .. id, 'state', 'settled')
redis.call('ZADD', p .. ':intents', now_ms(), id)
if claim ~= '' then
  local claimed = redis.call('HGET', claim_key(claim), 'id')
  if not claimed or claimed == id then finish_claim(claim, id, ARGV[7], '', ARGV[8]) end
end
return 'accepted'
`);

/** ARGV: id, age in ms that makes a live intent stale. live -> dead, so that no process acknowledges it any more. */
export const killScript = defineScript(`${prelude}
local id = ARGV[1]
local key = p .. ':intent:' .. id
local state = redis.call('HGET', key, 'state')
if not state then
  redis.call('ZREM', p .. ':intents', id)
  return 'absent'
end
if state == 'dead' then return 'dead' end
local beat = redis.call('ZSCORE', p .. ':intents', id)
if state == 'live' and beat and now_ms() - tonumber(beat) >= tonumber(ARGV[2]) then
  redis.call('HSET', key, 'state', 'dead')
  return 'dead'
end
return state
`);

/** ARGV: id, publicId. Where no upload under this id is known, a dead intent keeps new ones away. Answers the state after that. */
export const buryScript = defineScript(`${prelude}
local key = p .. ':intent:' .. ARGV[1]
local state = redis.call('HGET', key, 'state')
if state then return state end
redis.call('HSET', key, 'state', 'dead', 'publicId', ARGV[2], 'tries', 0)
redis.call('ZADD', p .. ':intents', now_ms(), ARGV[1])
return 'dead'
`);

/** ARGV: id. Forgets an intent that led to nothing. */
export const dropScript = defineScript(`${prelude}
redis.call('ZREM', p .. ':intents', ARGV[1])
redis.call('DEL', p .. ':intent:' .. ARGV[1])
return 'ok'
`);

/** ARGV: age in ms, count. Intents without a heartbeat for that long: id, state, publicId, tries of each. */
export const staleScript = defineScript(`${prelude}
local found = {}
local ids = redis.call('ZRANGEBYSCORE', p .. ':intents', '-inf', string.format('%.0f', now_ms() - tonumber(ARGV[1])), 'LIMIT', 0, tonumber(ARGV[2]))
for _, id in ipairs(ids) do
  local i = redis.call('HMGET', p .. ':intent:' .. id, 'state', 'publicId', 'tries')
  found[#found + 1] = { id, i[1] or 'absent', i[2] or '', tonumber(i[3] or '0') }
end
return found
`);

/** ARGV: id. A settled intent whose jobs are added again: counts the try and moves the heartbeat. Answers the number of this try, 0 when not settled. */
export const retryScript = defineScript(`${prelude}
local key = p .. ':intent:' .. ARGV[1]
if redis.call('HGET', key, 'state') ~= 'settled' then return 0 end
redis.call('ZADD', p .. ':intents', 'XX', now_ms(), ARGV[1])
return redis.call('HINCRBY', key, 'tries', 1)
`);
