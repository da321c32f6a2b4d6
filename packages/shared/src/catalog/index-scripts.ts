import { defineScript } from '../redis/index.js';
import { chunkReads } from './chunk-reads.js';
import { entryReader } from './index-entries.js';
import { entryPrelude, entryWritesPrelude, indexPrelude } from './index-prelude.js';

/** Of ids in ARGV: how many index entries each record must have and does not; a record that is not there lacks one. */
const countGaps = /* lua */ `${entryPrelude}${chunkReads}
local gaps, wanted, owners = {}, {}, {}
for n, id in ipairs(ARGV) do
  local measured, content = read(id)
  gaps[n] = 0
  if not measured then gaps[n] = 1
  else
    local function want(index, score, member)
      if not wanted[index] then wanted[index] = {}; owners[index] = {} end
      local list = wanted[index]
      list[#list + 1] = score
      list[#list + 1] = member
      owners[index][#list] = n
    end
    local c = each_index(id, content, want)
    if measured[STATUS] ~= 'v' then want(p .. ':i:s:' .. measured[STATUS], c[CREATED], id) end
  end
end
-- Few questions for each index, not for each record.
for index, list in pairs(wanted) do
  each_absent(index, list, 1, #list, function(place)
    local owner = owners[index][place]
    gaps[owner] = gaps[owner] + 1
  end)
end
`;

/** ARGV: ids. How many index entries each lacks. */
export const indexGapsScript = defineScript(`${countGaps}
return gaps
`);

/** ARGV: ids. The same, after the records themselves, as they are stored. */
export const readBackScript = defineScript(`${countGaps}
local stored = {}
for n, id in ipairs(ARGV) do stored[n] = redis.call('GET', record_key(id)) end
return { stored, gaps }
`);

/**
 * ARGV: ids. Writes the index entries that these records lack, and counts those indexes anew. A snapshot that was taken before lacks
 * what they lacked, so the next one is due. Answers how many there were.
 */
export const reindexScript = defineScript(`${entryWritesPrelude}${chunkReads}
local wanted = {}
local function want(index, score, member)
  if not wanted[index] then wanted[index] = {} end
  local list = wanted[index]
  list[#list + 1] = string.format('%.0f', score)
  list[#list + 1] = member
end
for _, id in ipairs(ARGV) do
  local measured, content = read(id)
  if measured then
    local c = each_index(id, content, want)
    if measured[STATUS] ~= 'v' then want(p .. ':i:s:' .. measured[STATUS], c[CREATED], id) end
  end
end
local lacked = 0
for index, list in pairs(wanted) do
  local lacking = {}
  if not is_plain(index) then recount(index) end
  each_absent(index, list, 1, #list, function(place)
    lacking[#lacking + 1] = list[place - 1]
    lacking[#lacking + 1] = list[place]
  end)
  if #lacking > 0 then
    add_entries(index, lacking, 1, #lacking)
    lacked = lacked + #lacking / 2
  end
end
if lacked > 0 then note_change() end
return lacked
`);

/**
 * KEYS: hash tag, index of a type or of a status. ARGV: score and id of some of its entries. Drops those that no record calls for: what
 * is left of a lost one. Answers the ids that are to be looked at more closely: in an index of a type those of records that the index of
 * their status lacks, in one of a status all that are rightly there.
 */
export const dropStraysScript = defineScript(`${entryWritesPrelude}
local index = KEYS[2]
local of_status, code = string.sub(index, #p + 4, #p + 4) == 's', string.sub(index, #p + 6)
local keys = {}
for i = 2, #ARGV, 2 do keys[#keys + 1] = record_key(ARGV[i]) end
local suspects, waiting = {}, {}
for n, text in ipairs(redis.call('MGET', unpack(keys))) do
  local score, id = ARGV[2 * n - 1], ARGV[2 * n]
  local status, kind, created
  if text then status, kind, created = string.match(text, '^%["(%l)".-\\n%[%d+,"(%l)",(%-?%d+),') end
  -- A record in a form that this does not know is nobody's remains.
  local calls = text and (not status or (of_status and status or kind) == code and tonumber(created) == tonumber(score))
  if not calls then remove_entry(index, score, id)
  elseif of_status then suspects[#suspects + 1] = id
  elseif status and status ~= 'v' then
    waiting[status] = waiting[status] or {}
    table.insert(waiting[status], id)
  end
end
for status, ids in pairs(waiting) do
  for n, there in ipairs(redis.call('ZMSCORE', p .. ':i:s:' .. status, unpack(ids))) do
    if not there then suspects[#suspects + 1] = ids[n] end
  end
end
return suspects
`);

/**
 * KEYS: hash tag, index of any kind. ARGV: score and id of some of its entries. Drops those that no record calls for, and answers how
 * many those were.
 */
export const dropUncalledScript = defineScript(`${entryWritesPrelude}
local index, dropped = KEYS[2], 0
for i = 1, #ARGV, 2 do
  local score, id = ARGV[i], ARGV[i + 1]
  local measured, content = read(id)
  -- A newer version may have written the record in a form of its own: its entries stay.
  local called = not measured and redis.call('EXISTS', record_key(id)) == 1
  if measured then
    local function match(other, at) called = called or other == index and tonumber(at) == tonumber(score) end
    local c = each_index(id, content, match)
    if measured[STATUS] ~= 'v' then match(p .. ':i:s:' .. measured[STATUS], c[CREATED]) end
  end
  if not called then
    remove_entry(index, score, id)
    dropped = dropped + 1
  end
end
return dropped
`);

/**
 * ARGV: cursor ('0' = from the start), pattern, count. Answers the next cursor, and keys. In a script, so that it asks the server of
 * a cluster that has them.
 */
export const someKeysScript = defineScript(`
local reply = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
return { reply[1], unpack(reply[2]) }
`);

/**
 * ARGV: number of records, and what entryArguments gives for them. Answers the numbers of the records, from 1, that lack an
 * entry, each as often as it lacks one.
 */
export const absentEntriesScript = defineScript(`${indexPrelude}${chunkReads}${entryReader}
local absent = {}
each_entry_list(1, tonumber(ARGV[1]), function(index, list, numbers)
  each_absent(index, list, 1, #list, function(place) absent[#absent + 1] = number_at(numbers, place) end)
end)
return absent
`);

/**
 * KEYS: hash tag, index. ARGV: order (1 = newest first), score and id of the last item seen ('' = from the start), count.
 * Answers ids and scores after that item. The cost does not grow with the index, nor with the number of equal scores.
 */
export const pageScript = defineScript(`${indexPrelude}${chunkReads}
return page(KEYS[2], ARGV[1] == '1', tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]))
`);

/** ARGV: indexes. How many entries each has. */
export const sizesScript = defineScript(`${indexPrelude}${chunkReads}
local sizes = {}
for n, index in ipairs(ARGV) do sizes[n] = size_of(index) end
return sizes
`);
