import { defineScript, leaseFenceIfAny } from '../redis/index.js';
import { entryReader } from './index-entries.js';
import { recordPrelude } from './record-prelude.js';
import { entryWritesPrelude } from './index-prelude.js';
import { endIntents } from './record-steps.js';

// Scripts for whole pages of records, for syncs and restores. The caller has worked out what belongs where, so these decode
// nothing: they only look whether all is as the caller found it, and write.

/**
 * ARGV: fence token ('' = outside of any run), '1' = counts as changes, number of records, then pushedRevision and content for each, then
 * what entryArguments gives for them. Writes all of them as saving, or answers 'mixed' and writes nothing where one is there
 * already or was deleted here. Else 'created' or 'fenced'.
 */
export const createPageScript =
  defineScript(`${entryWritesPrelude}${entryReader}${leaseFenceIfAny}local count = tonumber(ARGV[3])
local ids = 3 + 2 * count
local keys = {}
for i = 1, count do keys[i] = record_key(ARGV[ids + i]) end
local deletions = redis.call('EXISTS', p .. ':tombstones') == 1
for first = 1, count, 2000 do
  local last = math.min(first + 1999, count)
  if redis.call('EXISTS', unpack(keys, first, last)) > 0 then return 'mixed' end
  if deletions then
    for _, at in ipairs(redis.call('ZMSCORE', p .. ':tombstones', unpack(ARGV, ids + first, ids + last))) do
      if at then return 'mixed' end
    end
  end
end
local sequence = redis.call('INCRBY', p .. ':sequence', count) - count
local lines, saving = {}, {}
for i = 1, count do
  local at, n = 2 + 2 * i, #lines
  lines[n + 1] = keys[i]
  lines[n + 2] = string.format('["s",%.0f,0,0,0,%s,0]', sequence + i, ARGV[at]) .. '\\n' .. ARGV[at + 1]
  saving[n + 1] = ARGV[ids + count + i]
  saving[n + 2] = ARGV[ids + i]
  if n >= 2000 or i == count then
    redis.call('MSET', unpack(lines))
    redis.call('ZADD', p .. ':i:s:s', unpack(saving))
    lines, saving = {}, {}
  end
end
each_entry_list(ids, count, function(index, list) add_entries(index, list, 1, #list) end)
if ARGV[2] == '1' then
  redis.call('INCRBY', p .. ':changes', count)
  for first = 1, count, 2000 do
    redis.call('ZREM', p .. ':unpushed', unpack(ARGV, ids + first, ids + math.min(first + 1999, count)))
  end
end
return 'created'
`);

/**
 * ARGV: id, the whole text of the record as it was read back, and its new measured line, which says verified, for each.
 * Those that are still exactly so become verified, and their intents end; never what is missing or deleted. Answers 1
 * for each of them, 0 for the others.
 */
export const provenScript = defineScript(`${recordPrelude}
local answers = {}
for first = 1, #ARGV, 3000 do
  local last = math.min(first + 2999, #ARGV)
  local keys, lines, ids, statuses = {}, {}, {}, {}
  for i = first, last, 3 do keys[#keys + 1] = record_key(ARGV[i]) end
  for n, text in ipairs(redis.call('MGET', unpack(keys))) do
    local at = first + 3 * (n - 1)
    local status = text and string.match(text, '^%["(%l)"')
    local same = text and text == ARGV[at + 1] and status ~= 'm' and status ~= 'x'
    answers[#answers + 1] = same and 1 or 0
    if same then
      local id, cut = ARGV[at], string.find(text, '\\n', 1, true)
      lines[#lines + 1] = keys[n]
      lines[#lines + 1] = ARGV[at + 2] .. string.sub(text, cut)
      ids[#ids + 1] = id
      local list = statuses[status]
      if not list then list = {}; statuses[status] = list end
      list[#list + 1] = id
    end
  end
  if #ids > 0 then
    redis.call('MSET', unpack(lines))
    ${endIntents}
    for status, list in pairs(statuses) do
      if status ~= 'v' then redis.call('ZREM', p .. ':i:s:' .. status, unpack(list)) end
    end
  end
end
return answers
`);
