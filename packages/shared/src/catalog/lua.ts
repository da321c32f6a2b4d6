import { timePrelude } from '../redis/index.js';
import { lettersOf, levelCode, SEPARATOR, statusCode, typeCode } from './record.js';

// What scripts on records are made of, here and in other features. Each takes only what it needs: Redis makes the functions of a
// script again at each call.

const SEPARATOR_IN_LUA = `'\\${String(SEPARATOR.charCodeAt(0))}'`;

/** Lua pattern of what a measured line begins with, for scripts that look at thousands of records. */
export const statusAndNumber = `'^%["(%a)",(%d+),'`;

/** Lua of the scripts that read and write records, without their indexes. */
export const recordLua = /* lua */ `${timePrelude}
-- Positions of the indexed part, and of the measured line.
local REV, TYPE, CREATED, CATEGORY, TAGS, SHA = 1, 2, 3, 4, 5, 6
local STATUS, SEQ, LEVEL, VERIFIED, ATTEMPTS, PUSHED, ERROR, BASE = 1, 2, 3, 4, 5, 6, 7, 8

-- The number of a new record counts as a change, too.
local function note_change() redis.call('INCR', p .. ':changes') end

local function record_key(id) return p .. ':m:' .. id end

-- The decoded measured line, the content text and the whole text of a record. nil where there is none, and where decodeRecord could not read it.
local function read(id)
  local stored = redis.call('GET', record_key(id))
  if not stored then return nil end
  -- The rest is looked through by plain searches: a pattern over the whole text would take most of the time of a script.
  local level, from = string.match(stored, '^%["${lettersOf(statusCode)}",%d+,("?[${Object.values(levelCode).join('')}0]"?),%d+,%d+,%d+,[^\\n]*%]\\n()%[%d+,"${lettersOf(typeCode)}",%-?%d+,"')
  if not level or (#level == 1) ~= (level == '0') or string.byte(stored, -1) ~= 93 then return nil end
  if string.find(stored, '\\n', from, true) or not string.find(stored, ${SEPARATOR_IN_LUA} .. '[', from, true) then return nil end
  return cjson.decode(string.sub(stored, 1, from - 2)), string.sub(stored, from), stored
end

-- What the indexes need of a content text.
local function indexed(content)
  return cjson.decode(string.sub(content, 1, string.find(content, ${SEPARATOR_IN_LUA}, 1, true) - 1))
end

local function write(id, measured, content)
  redis.call('SET', record_key(id), cjson.encode(measured) .. '\\n' .. content)
end

local function set_status(id, measured, status, created)
  local before = measured[STATUS]
  if before == status then return end
  if before ~= 'v' then redis.call('ZREM', p .. ':index:status:' .. before, id) end
  if status ~= 'v' then redis.call('ZADD', p .. ':index:status:' .. status, created, id) end
  measured[STATUS] = status
end

-- The host carries this revision. What kept it from there is over; the error of a record that is not verified is its own.
local function set_pushed(measured, revision, current)
  local settled = measured[STATUS] == 'v' and measured[ERROR] ~= 0 and revision >= current
  if revision <= measured[PUSHED] and not settled then return false end
  measured[PUSHED] = math.max(measured[PUSHED], revision)
  if revision >= current then measured[BASE] = nil end
  if settled then measured[ERROR] = 0 end
  return true
end

-- Edits that the host does not carry yet are listed, so that a lost push job is found.
local function note_pushed(id, measured, revision)
  if measured[PUSHED] < revision then redis.call('ZADD', p .. ':unpushed', 'NX', now_ms(), id)
  else redis.call('ZREM', p .. ':unpushed', id) end
end
`;

/** Lua of the scripts that change records and with them their indexes. */
export const indexLua = /* lua */ `${recordLua}
-- Calls visit(index, score, id) for each entry that a record has, and answers what is indexed of it.
local function each_entry(id, status, content, visit)
  local c = indexed(content)
  local created = c[CREATED]
  visit(p .. ':index:type:' .. c[TYPE], created, id)
  if c[CATEGORY] ~= '' then visit(p .. ':index:category:' .. c[CATEGORY], created, id) end
  if c[TAGS] ~= 0 then
    for _, tag in ipairs(c[TAGS]) do visit(p .. ':index:tag:' .. tag, created, id) end
  end
  if c[SHA] ~= '' then
    -- As sha256Place has it.
    local score = 0
    for at = 4, 11 do score = score * 64 + (string.byte(c[SHA], at) or 0) % 64 end
    visit(p .. ':index:sha256:' .. string.sub(c[SHA], 2, 3), score, id)
  end
  if status ~= 'v' then visit(p .. ':index:status:' .. status, created, id) end
  return c
end

local function add_entry(index, score, id) redis.call('ZADD', index, score, id) end
local function remove_entry(index, _, id) redis.call('ZREM', index, id) end
`;

/**
 * Lua of the scripts that write many records: what they write to one sorted set waits, and goes there in one command. They call `flush`
 * at their end, and before whatever must find it there.
 */
export const waitingLua = /* lua */ `
local waiting = {}
local function flush()
  for _, command in pairs(waiting) do redis.call(unpack(command)) end
  waiting = {}
end
local function later(name, key, first, second)
  local command = waiting[key]
  if not command then
    command = { name, key }
    waiting[key] = command
  end
  command[#command + 1] = first
  command[#command + 1] = second
  -- Lua passes at most some thousand operands.
  if #command > 4000 then flush() end
end
local function add_later(index, score, id) later('ZADD', index, score, id) end
`;

/** Lua of the scripts that save records, as far as their revisions allow it. The entries of new ones wait: see waitingLua. */
export const saveLua = /* lua */ `${indexLua}${waitingLua}
-- Writes one record if its revision allows it. expect: '' = by revision alone, '0' = only when absent, a content text = only over
-- that (the caller has read it), and not where the host has lost the asset since. base: as SaveEntry.mergeBase, nil or '' = none.
-- Answers what happened in one word.
local function save(id, expect, pushed, content, base)
  local measured, old = read(id)
  -- The usual save of a job: acceptance has written the same before.
  if old == content and expect == '' and pushed <= measured[PUSHED] and measured[STATUS] ~= 'x' then return 'unchanged' end
  if redis.call('ZSCORE', p .. ':tombstones', id) then return 'tombstoned' end
  if not measured then
    if expect ~= '' and expect ~= '0' then return 'absent' end
    measured = { 's', redis.call('INCR', p .. ':sequence'), 0, 0, 0, pushed, 0 }
    write(id, measured, content)
    local revision = each_entry(id, 's', content, add_later)[REV]
    if pushed < revision then note_pushed(id, measured, revision) end
    return 'created'
  end
  if measured[STATUS] == 'x' then return 'tombstoned' end
  -- What was decided before the host lost the asset would have it verified again.
  if expect ~= '' and (expect ~= old or measured[STATUS] == 'm') then return 'conflict' end
  local revision, before = indexed(content)[REV], indexed(old)[REV]
  if revision < before then return 'stale' end
  if old == content then
    if set_pushed(measured, pushed, revision) then
      write(id, measured, content)
      note_pushed(id, measured, revision)
    end
    return 'unchanged'
  end
  if revision == before and expect == '' then return 'differs' end
  -- A page may hold a record twice.
  flush()
  each_entry(id, measured[STATUS], old, remove_entry)
  each_entry(id, 's', content, add_entry)
  if not base or base == '' then base = measured[BASE] end
  measured = { 's', measured[SEQ], 0, 0, 0, pushed, 0 }
  if pushed < revision then measured[BASE] = base end
  write(id, measured, content)
  note_pushed(id, measured, revision)
  note_change()
  return 'updated'
end
`;

// Statements that a few scripts have in common, for scripts with recordLua. They use the locals that their comments name.

/** Of `id`: its upload is no longer under way. */
export const endIntent = /* lua */ `
redis.call('ZREM', p .. ':intents', id)
redis.call('DEL', p .. ':intent:' .. id)
`;

/** Of `id` with `measured`, `content` and `c`, what is indexed of it: the record waits as deleting. Its tombstone is there. */
export const setDeleting = /* lua */ `${endIntent}
redis.call('ZREM', p .. ':unpushed', id)
set_status(id, measured, 'x', c[CREATED])
write(id, measured, content)
`;

/** Of `id` with `measured` and `content`: the record goes, with its index entries. For scripts with indexLua. */
export const eraseRecord = /* lua */ `
each_entry(id, measured[STATUS], content, remove_entry)
redis.call('ZREM', p .. ':unpushed', id)
redis.call('DEL', record_key(id))
`;
