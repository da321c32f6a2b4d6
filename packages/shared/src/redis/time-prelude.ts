/**
 * Lua of the scripts that know the time. KEYS[1] is always the hash tag's own name (`{holdfast}`), from which every key is
 * built: they all lie in its slot. Each script has only the Lua that it needs: Redis makes its functions anew at each call.
 */
export const timePrelude = /* lua */ `
local p = KEYS[1]

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
`;
