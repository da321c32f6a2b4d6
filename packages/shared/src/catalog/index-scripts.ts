import { defineScript } from '../redis/index.js';
import { chunkReads } from './chunk-reads.js';
import { entryReader } from './index-entries.js';
import { entryPrelude, entryWritesPrelude, indexPrelude } from './index-prelude.js';

/** ARGV: ids. How many index entries each record must have and does not; a record that is not there lacks one. */
export const indexGapsScript = defineScript(`${entryPrelude}${chunkReads}
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
return gaps
`);

/** ARGV: ids. Writes the index entries that these records lack, and counts those indexes anew. */
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
for index, list in pairs(wanted) do
  local lacking = {}
  if not is_plain(index) then recount(index) end
  each_absent(index, list, 1, #list, function(place)
    lacking[#lacking + 1] = list[place - 1]
    lacking[#lacking + 1] = list[place]
  end)
  if #lacking > 0 then add_entries(index, lacking, 1, #lacking) end
end
return 'ok'
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
