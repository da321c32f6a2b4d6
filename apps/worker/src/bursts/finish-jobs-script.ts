import { moveToFinished } from 'bullmq/dist/cjs/scripts/moveToFinished-14.js';
import { defineScript } from '@holdfast/shared/redis';

/** How many keys BullMQ's script has. */
export const FINISH_KEYS = moveToFinished.keys;
/** The keys that differ between jobs of one queue (the set of finished ones, the job, its metrics), counted from zero. */
export const FINISH_OWN_KEYS = [10, 11, 12] as const;
/** The values that follow the keys. */
const FINISH_VALUES = 9;

/**
 * Finishes jobs of one queue one by one with the script with which BullMQ itself finishes one, unchanged, as a function.
 * KEYS are those of the first job; ARGV holds for each job its own keys, then its values. Gives for each job 1 and what
 * BullMQ's script gave, or 0 and why it failed: a job that cannot be finished must not keep its neighbours from it. A server
 * that is a replica now refuses all of them, and says so as it does to any command: ioredis must see it, to find the master.
 *
 * BullMQ would look for the next job at each end, and so go on where no marker tells of those that wait (a limit on how many
 * are active, a wake-up lost with its connection). Here the marker is set again.
 */
export const finishJobs = defineScript(/* lua */ `
local function finish_one(KEYS, ARGV)
${moveToFinished.content}
end
local keys, reply = {}, {}
for i, key in ipairs(KEYS) do keys[i] = key end
local own, values = ${String(FINISH_OWN_KEYS.length)}, ${String(FINISH_VALUES)}
for at = 0, #ARGV - 1, own + values do
  ${FINISH_OWN_KEYS.map((key, index) => `keys[${String(key + 1)}] = ARGV[at + ${String(index + 1)}]`).join('\n  ')}
  local args = {}
  for i = 1, values do args[i] = ARGV[at + own + i] end
  local ok, outcome = pcall(finish_one, keys, args)
  if not ok then
    outcome = type(outcome) == 'table' and outcome.err or tostring(outcome)
    if string.find(outcome, '^READONLY') then return redis.error_reply(outcome) end
  end
  reply[#reply + 1] = { ok and 1 or 0, outcome or false }
end
local waits = redis.call('LLEN', KEYS[1]) > 0 or redis.call('ZCARD', KEYS[3]) > 0
if waits and redis.call('HEXISTS', KEYS[9], 'paused') == 0 then redis.call('ZADD', KEYS[14], 0, '0') end
return reply
`);
