import { chunkWrites } from './chunk-writes.js';
import { chunkedSet } from './chunked-set.js';
import { recordPrelude } from './record-prelude.js';

/** Lua of the scripts that read indexes alone: the hash tag, and the sets. */
export const indexPrelude = /* lua */ `
local p = KEYS[1]
${chunkedSet}`;

/** Lua of the scripts that must know which index entries a record has. */
export const entryPrelude = /* lua */ `${recordPrelude}${chunkedSet}
-- Where the index of checksums has this one, see sha256Place.
local function checksum_place(packed)
  local score = 0
  for at = 5, 9 do score = score * 64 + (string.byte(packed, at) or 0) % 64 end
  return string.sub(packed, 2, 3) .. (string.byte(packed, 4) or 0) % 4, score
end

local function each_index(id, content, visit)
  local c = indexed(content)
  local created = string.format('%.0f', c[CREATED])
  visit(p .. ':i:t:' .. c[TYPE], created, id)
  if c[CATEGORY] ~= '' then visit(p .. ':i:c:' .. c[CATEGORY], created, id) end
  if c[TAGS] ~= 0 then
    for _, tag in ipairs(c[TAGS]) do visit(p .. ':i:g:' .. tag, created, id) end
  end
  if c[SHA] ~= '' then
    local bucket, score = checksum_place(c[SHA])
    visit(p .. ':i:h:' .. bucket, score, id)
  end
  return c
end
`;

/** Lua of the scripts that write records and their index entries. */
export const prelude = /* lua */ `${entryPrelude}${chunkWrites}
local function add(index, score, member) add_entries(index, { score, member }, 1, 2) end

-- Writes one record if its revision allows it. expect: '' = by revision alone, '0' = only when absent,
-- N = only over revision N (the caller has read it). Answers what happened in one word.
local function save(id, expect, pushed, content)
  if redis.call('ZSCORE', p .. ':tombstones', id) then return 'tombstoned' end
  local measured, old = read(id)
  -- The usual save of a job: acceptance has written the same before.
  if old == content and expect == '' and pushed <= measured[PUSHED] and measured[STATUS] ~= 'x' then return 'unchanged' end
  local fresh = indexed(content)
  if not measured then
    if expect ~= '' and expect ~= '0' then return 'absent' end
    measured = { '', redis.call('INCR', p .. ':sequence'), 0, 0, 0, pushed, 0 }
    set_status(id, measured, 's', fresh[CREATED])
    each_index(id, content, add)
    write(id, measured, content)
    note_pushed(id, measured, fresh[REV])
    note_change()
    return 'created'
  end
  local before = indexed(old)
  if measured[STATUS] == 'x' then return 'tombstoned' end
  if expect ~= '' and tonumber(expect) ~= before[REV] then return 'conflict' end
  if fresh[REV] < before[REV] then return 'stale' end
  if old == content then
    if pushed > measured[PUSHED] then
      measured[PUSHED] = pushed
      write(id, measured, content)
      note_pushed(id, measured, fresh[REV])
    end
    return 'unchanged'
  end
  if fresh[REV] == before[REV] and expect == '' then return 'differs' end
  each_index(id, old, remove_entry)
  each_index(id, content, add)
  local status = measured[STATUS]
  if fresh[CREATED] ~= before[CREATED] and status ~= 'v' then redis.call('ZREM', p .. ':i:s:' .. status, id); measured[STATUS] = '' end
  set_status(id, measured, 's', fresh[CREATED])
  measured[LEVEL], measured[VERIFIED], measured[ATTEMPTS], measured[ERROR] = 0, 0, 0, 0
  measured[PUSHED] = pushed
  write(id, measured, content)
  note_pushed(id, measured, fresh[REV])
  note_change()
  return 'updated'
end
`;
