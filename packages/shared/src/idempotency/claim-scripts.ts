import { defineScript, leaseFenceIfAny, timePrelude } from '../redis/index.js';

/** Lua shared with the script that accepts an upload, which finishes its claim in the same step. Needs timePrelude. */
export const claimPrelude = /* lua */ `
local function claim_key(key) return p .. ':idem:' .. key end

local function finish_claim(key, id, print, duplicate, keep_ms)
  local k = claim_key(key)
  redis.call('HSET', k, 'state', 'done', 'id', id, 'print', print, 'duplicate', duplicate)
  redis.call('HDEL', k, 'lease')
  redis.call('PEXPIRE', k, keep_ms)
end

-- True when another try has the key now. A claim that was wiped with Redis is nobody's, and one that was restored for
-- this id says that a sync has found the asset.
local function is_taken(key, id, token)
  local c = redis.call('HMGET', claim_key(key), 'id', 'token')
  if not c[1] then return false end
  return c[1] ~= id or (c[2] and c[2] ~= token)
end
`;

const scripts = `${timePrelude}${claimPrelude}`;

/**
 * ARGV: key, id for a first try, token, lease ms, keep ms, when the catalog began as the caller knows it ('' = unknown).
 * Answers {'emptied'}, {'done', id, print, duplicate}, {'running', ms}, or {'held', id, 'first' | 'again'}: a try whose
 * lease ran out is taken over with its id.
 */
export const claimScript = defineScript(`${scripts}
local k = claim_key(ARGV[1])
if ARGV[6] ~= '' and redis.call('GET', p .. ':born') ~= ARGV[6] then return { 'emptied' } end
local c = redis.call('HMGET', k, 'state', 'id', 'print', 'duplicate', 'lease')
if c[1] == 'done' then return { 'done', c[2], c[3], c[4] } end
local now = now_ms()
if c[1] and tonumber(c[5]) > now then return { 'running', tonumber(c[5]) - now } end
local id = c[2] or ARGV[2]
redis.call('HSET', k, 'state', 'running', 'id', id, 'token', ARGV[3], 'lease', string.format('%.0f', now + tonumber(ARGV[4])))
redis.call('PEXPIRE', k, ARGV[5])
return { 'held', id, c[1] and 'again' or 'first' }
`);

/**
 * ARGV: lease ms, then key, id and token of each. Moves the leases; answers for each 0 when another try works under its id,
 * else 1.
 */
export const renewScript = defineScript(`${scripts}
local until_ms = string.format('%.0f', now_ms() + tonumber(ARGV[1]))
local held = {}
for i = 2, #ARGV, 3 do
  local k = claim_key(ARGV[i])
  local c = redis.call('HMGET', k, 'state', 'id', 'token')
  if c[1] == 'running' and c[3] == ARGV[i + 2] then redis.call('HSET', k, 'lease', until_ms) end
  held[#held + 1] = (c[2] == ARGV[i + 1] and c[3] ~= ARGV[i + 2]) and 0 or 1
end
return held
`);

/**
 * ARGV: key, id, token, '1' = the next try goes on under the same id. Answers 'taken' when another try works under this
 * id, else 'released': nobody does.
 */
export const releaseScript = defineScript(`${scripts}
local k = claim_key(ARGV[1])
local c = redis.call('HMGET', k, 'state', 'id', 'token')
if c[2] == ARGV[2] and c[3] ~= ARGV[3] then return 'taken' end
if c[1] == 'running' and c[3] == ARGV[3] then
  if ARGV[4] == '1' then redis.call('HSET', k, 'lease', '0') else redis.call('DEL', k) end
end
return 'released'
`);

/** ARGV: key, id, token, then of the answer id, print and '1' = a duplicate; keep ms. */
export const finishScript = defineScript(`${scripts}
if is_taken(ARGV[1], ARGV[2], ARGV[3]) then return 'taken' end
finish_claim(ARGV[1], ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return 'finished'
`);

/**
 * ARGV: fence token ('' = outside of any run), then key, id, print and ms to keep of each. Finished claims that Redis no longer
 * knows; those it knows stay as they are. Answers how many, or 'fenced'.
 */
export const restoreScript = defineScript(`${scripts}${leaseFenceIfAny}
local restored = 0
for i = 2, #ARGV, 4 do
  if redis.call('EXISTS', claim_key(ARGV[i])) == 0 then
    finish_claim(ARGV[i], ARGV[i + 1], ARGV[i + 2], '', ARGV[i + 3])
    restored = restored + 1
  end
end
return restored
`);
