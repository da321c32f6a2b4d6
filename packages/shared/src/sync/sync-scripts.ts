import { defineScript, leaseFence } from '../redis/index.js';

/**
 * Lua for scripts with `p`: `facts(run id)` gives what a run is decided by, as texts: the run under way, the last one, the one with
 * this id ('' = none is asked for), fields of the state, and the number of the newest record.
 */
const facts = /* lua */ `
local function facts(run_id)
  local runs = redis.call('LRANGE', p .. ':sync:runs', 0, run_id == '' and 0 or -1)
  local asked = false
  if run_id ~= '' then
    for _, text in ipairs(runs) do
      if string.find(text, '"runId":"' .. run_id .. '"', 1, true) then asked = text; break end
    end
  end
  local fields = redis.call('HMGET', p .. ':sync:state', 'lastFullRun', 'recentErrors', 'rateLimit', 'snapshot', 'watermark', 'lastFullAt', 'lookedAt')
  return { redis.call('GET', p .. ':sync:run'), runs[1] or false, asked, fields, redis.call('GET', p .. ':sequence') }
end`;

/** Lua, the end of scripts with `p`: what decides whether a snapshot is due. */
const snapshotFacts = /* lua */ `
return { redis.call('HMGET', p .. ':sync:state', 'snapshot', 'snapshotTriedAt', 'lastFullAt', 'snapshotsSince'), redis.call('GET', p .. ':changes') }`;

export const snapshotFactsScript = defineScript(`
local p = KEYS[1]
${snapshotFacts}
`);

/** ARGV: id of a run, or ''. */
export const factsScript = defineScript(`
local p = KEYS[1]
${facts}
return facts(ARGV[1])
`);

/**
 * ARGV: ms to hold it, id of a run or ''. Answers the new holder's token, or '' while another holds the lease, and the facts that then
 * hold. Tokens only grow, also over a Redis that was emptied: they follow the server's clock, in microseconds, so that no old holder
 * finds its own again.
 */
export const acquireScript = defineScript(`
local p = KEYS[1]
${facts}
local left = redis.call('PTTL', p .. ':sync:lease')
-- Nobody holds it for longer than is asked for here: the server's clock was set back since, and the holder may be dead.
if left > tonumber(ARGV[1]) then redis.call('PEXPIRE', p .. ':sync:lease', ARGV[1]) end
if left ~= -2 then return { '', facts(ARGV[2]) } end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', p .. ':sync:token') or '0')
local token = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
redis.call('SET', p .. ':sync:token', token)
redis.call('SET', p .. ':sync:lease', token, 'PX', ARGV[1])
return { token, facts(ARGV[2]) }
`);

const fence = `
local p = KEYS[1]
${leaseFence}`;

/**
 * Keeps a budget of host calls ('' = none), unless a later one is known. One that seems to be from over an hour later was noted
 * by a clock that was wrong; one without a time is of 0.1.0.
 */
const hear = `
local function hear(budget)
  if budget == '' then return end
  local known = redis.call('HGET', p .. ':sync:state', 'rateLimit')
  local ahead = known and (cjson.decode(known).heardAt or 0) - cjson.decode(budget).heardAt or 0
  if ahead <= 0 or ahead > 3600000 then redis.call('HSET', p .. ':sync:state', 'rateLimit', budget) end
end`;

/** ARGV: budget. */
export const hearScript = defineScript(`
local p = KEYS[1]
${hear}
hear(ARGV[1])
return 'ok'
`);

/** ARGV: token, then field and value pairs of the state. */
export const noteScript = defineScript(`${fence}
for i = 2, #ARGV, 2 do redis.call('HSET', p .. ':sync:state', ARGV[i], ARGV[i + 1]) end
return 'ok'
`);

/** ARGV: token, ms. */
export const renewScript = defineScript(`${fence}
redis.call('PEXPIRE', p .. ':sync:lease', ARGV[2])
return 'ok'
`);

/** ARGV: token, budget. */
export const releaseScript = defineScript(`${fence}${hear}
hear(ARGV[2])
redis.call('DEL', p .. ':sync:lease')
return 'ok'
`);

/**
 * KEYS: hash tag, bitmap of what was seen. ARGV: token, lease ms, state of the run, budget, bitmap's life in
 * seconds, then sequence numbers of the page. The page counts as done and its records as seen in one step.
 */
export const checkpointScript = defineScript(`${fence}${hear}
redis.call('PEXPIRE', p .. ':sync:lease', ARGV[2])
redis.call('SET', p .. ':sync:run', ARGV[3])
hear(ARGV[4])
local batch = {}
for i = 6, #ARGV do
  local n = #batch
  batch[n + 1], batch[n + 2], batch[n + 3], batch[n + 4] = 'SET', 'u1', ARGV[i], '1'
  if n >= 2000 or i == #ARGV then
    redis.call('BITFIELD', KEYS[2], unpack(batch))
    batch = {}
  end
end
if #ARGV >= 6 then redis.call('EXPIRE', KEYS[2], ARGV[5]) end
return 'ok'
`);

/**
 * KEYS: hash tag, bitmap, report of the run, report of the last full run. ARGV: token, finished run, how many are kept, '1' where
 * its report takes the place of the last one, budget, then field and value pairs of the state.
 * The run ends and enters the history in one step. Returns what decides whether a snapshot is due.
 */
export const finishScript = defineScript(`${fence}${hear}
hear(ARGV[5])
redis.call('DEL', p .. ':sync:run', KEYS[2])
redis.call('LPUSH', p .. ':sync:runs', ARGV[2])
redis.call('LTRIM', p .. ':sync:runs', 0, tonumber(ARGV[3]) - 1)
if ARGV[4] == '1' then
  redis.call('UNLINK', KEYS[4])
  if redis.call('EXISTS', KEYS[3]) == 1 then
    redis.call('RENAME', KEYS[3], KEYS[4])
    redis.call('PERSIST', KEYS[4])
  end
else redis.call('UNLINK', KEYS[3]) end
for i = 6, #ARGV, 2 do redis.call('HSET', p .. ':sync:state', ARGV[i], ARGV[i + 1]) end
${snapshotFacts}
`);
