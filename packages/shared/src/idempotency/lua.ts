// The Lua of claims that scripts of other features are made of. Not for apps.

/** Lua shared with the script that accepts an upload, which finishes its claim in the same step. Needs timePrelude. */
export const claimPrelude = /* lua */ `
local function claim_key(key) return p .. ':idem:' .. key end

local function finish_claim(key, id, fingerprint, duplicate, keep_ms)
  local k = claim_key(key)
  redis.call('HSET', k, 'state', 'done', 'id', id, 'print', fingerprint, 'duplicate', duplicate)
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
