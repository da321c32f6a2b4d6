import { entryWritesPrelude } from './index-prelude.js';

/** Lua of the scripts that save a record, as far as its revision allows it. */
export const savePrelude = /* lua */ `${entryWritesPrelude}
-- Writes one record if its revision allows it. expect: '' = by revision alone, '0' = only when absent,
-- a content text = only over that (the caller has read it), and not where the host has lost the asset since. Answers what happened in one word.
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
  -- What was decided before the host lost the asset would have it verified again.
  if expect ~= '' and (expect ~= old or measured[STATUS] == 'm') then return 'conflict' end
  if fresh[REV] < before[REV] then return 'stale' end
  if old == content then
    if set_pushed(measured, pushed, fresh[REV]) then
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
