import { defineScript } from '../redis/index.js';
import { prelude } from './script-prelude.js';

/** ARGV: fence token ('' = none), then id, expect, pushedRevision, content for each record. Answers one word each, or {'fenced'}. */
export const saveScript = defineScript(`${prelude}
if ARGV[1] ~= '' and redis.call('GET', p .. ':sync:lease') ~= ARGV[1] then return { 'fenced' } end
local outcomes = {}
for i = 2, #ARGV, 4 do
  outcomes[#outcomes + 1] = save(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3])
end
return outcomes
`);

/** ARGV: level, ms, then id, revision, attempts for each. 'verified' also ends the intent. Answers one word each. */
export const verifiedScript = defineScript(`${prelude}
local outcomes = {}
for i = 3, #ARGV, 3 do
  local id = ARGV[i]
  local measured, content = read(id)
  local word
  if not measured then word = 'absent'
  elseif measured[STATUS] == 'x' then word = 'tombstoned'
  else
    local c = indexed(content)
    if c[REV] ~= tonumber(ARGV[i + 1]) then word = 'superseded'
    elseif measured[STATUS] == 'm' then word = 'missing'
    else
      set_status(id, measured, 'v', c[CREATED])
      measured[LEVEL], measured[VERIFIED], measured[ATTEMPTS], measured[ERROR] = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[i + 2]), 0
      write(id, measured, content)
      redis.call('ZREM', p .. ':intents', id)
      redis.call('DEL', p .. ':intent:' .. id)
      word = 'verified'
    end
  end
  outcomes[#outcomes + 1] = word
end
return outcomes
`);

/** ARGV: id, revision (0 = any), attempts, final ('1' = status failed and the intent leaves the sweep), code, message, ms. */
export const failedScript = defineScript(`${prelude}
local id = ARGV[1]
local measured, content = read(id)
if not measured then return 'absent' end
if measured[STATUS] == 'x' then return 'tombstoned' end
local c = indexed(content)
local revision = tonumber(ARGV[2])
if revision ~= 0 and c[REV] ~= revision then return 'superseded' end
-- What was read back and confirmed stays proved, whatever became of another job for the same revision.
if revision ~= 0 and measured[STATUS] == 'v' then return 'verified' end
measured[ERROR] = { ARGV[5], ARGV[6], tonumber(ARGV[7]) }
measured[ATTEMPTS] = tonumber(ARGV[3])
if ARGV[4] == '1' then
  -- That the host has lost the asset says more than that a job failed.
  if measured[STATUS] ~= 'm' then set_status(id, measured, 'f', c[CREATED]) end
  redis.call('ZREM', p .. ':intents', id)
end
write(id, measured, content)
return 'noted'
`);

/** ARGV: fence token, then ids. Only records that were settled become missing: never one being saved or deleted. */
export const missingScript = defineScript(`${prelude}
if ARGV[1] ~= '' and redis.call('GET', p .. ':sync:lease') ~= ARGV[1] then return { 'fenced' } end
local outcomes = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local measured, content = read(id)
  if measured and (measured[STATUS] == 'v' or measured[STATUS] == 'f') then
    set_status(id, measured, 'm', indexed(content)[CREATED])
    write(id, measured, content)
    note_change()
    outcomes[#outcomes + 1] = 'missing'
  else outcomes[#outcomes + 1] = 'kept' end
end
return outcomes
`);

/** ARGV: fence token, then ids that the host has again: missing -> saving, so that they are verified anew. */
export const restoreScript = defineScript(`${prelude}
if ARGV[1] ~= '' and redis.call('GET', p .. ':sync:lease') ~= ARGV[1] then return { 'fenced' } end
local outcomes = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local measured, content = read(id)
  if measured and measured[STATUS] == 'm' then
    set_status(id, measured, 's', indexed(content)[CREATED])
    write(id, measured, content)
    note_change()
    outcomes[#outcomes + 1] = 'restored'
  else outcomes[#outcomes + 1] = 'kept' end
end
return outcomes
`);

/** ARGV: id, revision that the host now carries. */
export const pushedScript = defineScript(`${prelude}
local id = ARGV[1]
local measured, content = read(id)
if not measured then return 'absent' end
local revision = tonumber(ARGV[2])
if revision > measured[PUSHED] then
  measured[PUSHED] = revision
  write(id, measured, content)
end
note_pushed(id, measured, indexed(content)[REV])
return 'noted'
`);

/** ARGV: id, expected revision (0 = any). The tombstone comes first and stays; the record waits as deleting. */
export const beginDeleteScript = defineScript(`${prelude}
local id = ARGV[1]
local measured, content = read(id)
if not measured then
  if redis.call('ZSCORE', p .. ':tombstones', id) then return 'gone' end
  return 'absent'
end
local c = indexed(content)
local expected = tonumber(ARGV[2])
if measured[STATUS] == 'x' then return 'deleting' end
if expected ~= 0 and c[REV] ~= expected then return 'conflict' end
redis.call('ZADD', p .. ':tombstones', now_ms(), id)
redis.call('ZREM', p .. ':intents', id)
redis.call('DEL', p .. ':intent:' .. id)
redis.call('ZREM', p .. ':unpushed', id)
set_status(id, measured, 'x', c[CREATED])
write(id, measured, content)
note_change()
return 'deleting'
`);

/**
 * ARGV: id, asset id ('' = none). The host has confirmed: the record and its index entries go, the tombstone stays. Where
 * Redis was emptied since, both may be gone, and the tombstone is put again: a snapshot may be on its way in. The asset id,
 * under which the asset could be found anew, gets one too.
 */
export const finishDeleteScript = defineScript(`${prelude}
local id = ARGV[1]
local measured, content = read(id)
if measured and measured[STATUS] ~= 'x' then return 'kept' end
local function bury(member)
  if redis.call('ZADD', p .. ':tombstones', 'NX', now_ms(), member) == 1 then note_change() end
end
bury(id)
if ARGV[2] ~= '' then bury('cld-' .. ARGV[2]) end
if not measured then return 'absent' end
each_index(id, content, drop)
redis.call('ZREM', p .. ':i:s:x', id)
redis.call('DEL', record_key(id))
return 'deleted'
`);

/** ARGV: ids. How many index entries each record must have and does not; a record that is not there lacks one. */
export const indexGapsScript = defineScript(`${prelude}
local gaps, wanted = {}, {}
for n, id in ipairs(ARGV) do
  local measured, content = read(id)
  gaps[n] = 0
  if not measured then gaps[n] = 1
  else
    local function want(key, _, member)
      local list = wanted[key]
      if not list then list = { members = {}, owners = {} }; wanted[key] = list end
      list.members[#list.members + 1] = member
      list.owners[#list.owners + 1] = n
    end
    each_index(id, content, want)
    if measured[STATUS] ~= 'v' then want(p .. ':i:s:' .. measured[STATUS], 0, id) end
  end
end
-- One question for each index, not for each record.
for key, list in pairs(wanted) do
  for first = 1, #list.members, 4000 do
    local last = math.min(first + 3999, #list.members)
    local scores = redis.call('ZMSCORE', key, unpack(list.members, first, last))
    for place = 1, last - first + 1 do
      local owner = list.owners[first + place - 1]
      if not scores[place] then gaps[owner] = gaps[owner] + 1 end
    end
  end
end
return gaps
`);

/** ARGV: ids. Writes the index entries of these records again, whatever is there. */
export const reindexScript = defineScript(`${prelude}
for _, id in ipairs(ARGV) do
  local measured, content = read(id)
  if measured then
    local c = each_index(id, content, add)
    if measured[STATUS] ~= 'v' then redis.call('ZADD', p .. ':i:s:' .. measured[STATUS], string.format('%.0f', c[CREATED]), id) end
  end
end
return 'ok'
`);

/**
 * KEYS: hash tag, index. ARGV: order (1 = newest first), score and id of the last item seen ('' = from the start), count.
 * Answers ids and scores after that item. Works by rank, so the cost does not grow with the size of the set, nor with
 * the number of equal scores; an item that is gone is replaced by the place where it would be.
 */
export const pageScript = defineScript(`
local key, newest, score, id, count = KEYS[2], ARGV[1] == '1', tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local start = 0
if id ~= '' then
  local rank = redis.call('ZRANK', key, id)
  local above
  if rank and tonumber(redis.call('ZSCORE', key, id)) == score then above = rank + 1
  else
    rank = nil
    local low, high = 0, redis.call('ZCARD', key)
    while low < high do
      local middle = math.floor((low + high) / 2)
      local at = redis.call('ZRANGE', key, middle, middle, 'WITHSCORES')
      local s = tonumber(at[2])
      if s < score or (s == score and at[1] <= id) then low = middle + 1 else high = middle end
    end
    above = low
  end
  if newest then start = redis.call('ZCARD', key) - (rank or above) else start = above end
end
if newest then return redis.call('ZREVRANGE', key, start, start + count - 1, 'WITHSCORES') end
return redis.call('ZRANGE', key, start, start + count - 1, 'WITHSCORES')
`);
