import type { Script } from './script.js';

/** A call in the text of a script, ours or BullMQ's. */
const CALL = /\br?(?:edis\.p?)?call\(\s*['"]([a-z]+)['"]/gi;

/**
 * Lua: `missing_rights(key, first)` gives those of the commands from ARGV[first] on that the user of this connection may not call
 * on `key`. Servers before Redis 7 cannot tell, and give none.
 */
export const missingRightsLua = /* lua */ `
local function missing_rights(key, first)
  local missing = {}
  if not redis.acl_check_cmd then return missing end
  for at = first, #ARGV do
    local operands = {}
    for _ = 0, 6 do
      -- Only a call with enough operands is judged.
      local isJudged, isAllowed = pcall(redis.acl_check_cmd, ARGV[at], unpack(operands))
      if isJudged then
        if not isAllowed then missing[#missing + 1] = ARGV[at] end
        break
      end
      operands[#operands + 1] = key
    end
  end
  return missing
end
`;

/** The commands that these scripts call: what a user of Redis needs rights to. */
export function commandsOf(scripts: readonly Script[]): string[] {
  const calls = scripts.flatMap(({ text }) => [...text.matchAll(CALL)].map(([, name = '']) => name));
  return [...new Set(calls.map((name) => name.toUpperCase()))];
}
