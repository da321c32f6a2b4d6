import { timePrelude } from '../redis/index.js';

/** Lua of the scripts that read and write records, their indexes apart. Positions as in record-codec.ts, one higher as Lua counts. */
export const recordPrelude = /* lua */ `${timePrelude}
local REV, TYPE, CREATED, CATEGORY, TAGS, SHA = 1, 2, 3, 4, 5, 6
local STATUS, SEQ, LEVEL, VERIFIED, ATTEMPTS, PUSHED, ERROR = 1, 2, 3, 4, 5, 6, 7

local function note_change() redis.call('INCR', p .. ':changes') end

local function record_key(id) return p .. ':m:' .. id end

-- The two lines of a stored record: decoded measured part, content text. nil when there is none, and for a text that is not
-- what record-codec.ts calls readable: it is written over as if it were not there.
local function read(id)
  local stored = redis.call('GET', record_key(id))
  if not stored then return nil end
  local level, line, content = string.match(stored, '^%["[svdfmx]",%d+,("?[wfr0]"?),%d+,%d+,%d+,[^\\n]*%]()\\n(%[%d+,"[ivr]",%-?%d+,"[^\\n]*%])$')
  if not level or (#level == 1) ~= (level == '0') or not string.find(content, '\\31[', 1, true) then return nil end
  return cjson.decode(string.sub(stored, 1, line - 1)), content
end

-- What the indexes need of a content text, without the rest.
local function indexed(content)
  return cjson.decode(string.sub(content, 1, string.find(content, '\\31', 1, true) - 1))
end

local function write(id, measured, content)
  redis.call('SET', record_key(id), cjson.encode(measured) .. '\\n' .. content)
end

local function set_status(id, measured, status, created)
  if measured[STATUS] == status then return end
  if measured[STATUS] ~= 'v' and measured[STATUS] ~= '' then redis.call('ZREM', p .. ':i:s:' .. measured[STATUS], id) end
  if status ~= 'v' then redis.call('ZADD', p .. ':i:s:' .. status, string.format('%.0f', created), id) end
  measured[STATUS] = status
end

-- The host carries this revision. What kept it from there is over; the error of a media that is not verified is its own.
local function set_pushed(measured, revision, current)
  local settled = measured[STATUS] == 'v' and measured[ERROR] ~= 0 and revision >= current
  if revision <= measured[PUSHED] and not settled then return false end
  measured[PUSHED] = math.max(measured[PUSHED], revision)
  if settled then measured[ERROR] = 0 end
  return true
end

-- Edits that the host does not carry yet are listed, so that a lost push job is found.
local function note_pushed(id, measured, revision)
  if measured[PUSHED] < revision then redis.call('ZADD', p .. ':unpushed', 'NX', now_ms(), id)
  else redis.call('ZREM', p .. ':unpushed', id) end
end
`;
