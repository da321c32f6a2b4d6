import { moveToActive } from 'bullmq/dist/cjs/scripts/moveToActive-11.js';
import { defineScript } from '@holdfast/shared/redis';

/** How many keys BullMQ's script has; three values follow them, then the most jobs to take. */
export const TAKE_KEYS = moveToActive.keys;

/**
 * Takes jobs one by one with the script with which BullMQ itself takes one, unchanged, as a function, until none waits.
 * Gives the token that locks them, and what BullMQ's script gave each time; where jobs ran out, the last tells so. A job that
 * cannot be taken ends the burst: those before it are active, and somebody must hear of them.
 *
 * BullMQ leaves its marker behind each job it takes, so that a worker looks again; where none waits the marker goes here,
 * in the same step, and whoever adds a job sets it.
 */
export const takeJobs = defineScript(/* lua */ `
local function take_one(KEYS, ARGV)
${moveToActive.content}
end
local reply = { cmsgpack.unpack(ARGV[3])['token'], take_one(KEYS, ARGV) }
local ok, taken = true, reply[2]
for _ = 2, tonumber(ARGV[4]) do
  if type(taken[1]) ~= 'table' then break end
  ok, taken = pcall(take_one, KEYS, ARGV)
  if not ok then break end
  reply[#reply + 1] = taken
end
if ok and redis.call('LLEN', KEYS[1]) == 0 and redis.call('ZCARD', KEYS[3]) == 0 then
  redis.call('ZREM', KEYS[11], '0')
end
return reply
`);
