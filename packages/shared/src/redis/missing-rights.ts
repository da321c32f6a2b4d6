import type { RedisClient } from './connect-redis.js';
import { defineScript, type Script } from './script.js';

/** A call in the text of a script, ours or BullMQ's. */
const CALL = /\br?(?:edis\.p?)?call\(\s*['"]([a-z]+)['"]/gi;

/**
 * KEYS: a key of ours. ARGV: commands. Answers those that the user of this connection may not call. Servers before Redis 7
 * cannot tell, and answer none.
 */
const checkScript = defineScript(`
local missing = {}
if not redis.acl_check_cmd then return missing end
for _, command in ipairs(ARGV) do
  local operands = {}
  for _ = 0, 6 do
    -- Only a call with enough operands is judged.
    local isJudged, isAllowed = pcall(redis.acl_check_cmd, command, unpack(operands))
    if isJudged then
      if not isAllowed then missing[#missing + 1] = command end
      break
    end
    operands[#operands + 1] = KEYS[1]
  end
end
return missing
`);

/** Commands in these scripts that the user of this connection may not call on our keys, `key` being one. */
export async function missingRights(
  redis: RedisClient,
  key: string,
  scripts: readonly Script[],
): Promise<string[]> {
  const calls = scripts.flatMap(({ text }) => [...text.matchAll(CALL)].map(([, name = '']) => name));
  const commands = new Set(calls.map((name) => name.toUpperCase()));
  return (await checkScript(redis, [key], [...commands])) as string[];
}
