import { defineScript, leaseFenceIfAny, type Script } from '../redis/index.js';
import { recordPrelude } from './record-prelude.js';
import { savePrelude } from './save-prelude.js';
import { entryWritesPrelude } from './index-prelude.js';
import { endIntent, eraseRecord, setDeleting } from './record-steps.js';

/** ARGV: fence token ('' = outside of any run), then id, expect, pushedRevision, content for each record. Answers one word each, or 'fenced'. */
export const saveScript = defineScript(`${savePrelude}${leaseFenceIfAny}local outcomes = {}
for i = 2, #ARGV, 4 do
  outcomes[#outcomes + 1] = save(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3])
end
return outcomes
`);

/** ARGV: level, ms, then id, revision, attempts for each. 'verified' also ends the intent. Answers one word each. */
export const verifiedScript = defineScript(`${recordPrelude}
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
      ${endIntent}
      word = 'verified'
    end
  end
  outcomes[#outcomes + 1] = word
end
return outcomes
`);

/** ARGV: id, revision (0 = any), attempts, final ('1' = status failed and the intent leaves the sweep), code, message, ms. */
export const failedScript = defineScript(`${recordPrelude}
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
-- Those of its verification, which a push is no part of.
if revision ~= 0 then measured[ATTEMPTS] = tonumber(ARGV[3]) end
if ARGV[4] == '1' then
  -- That the host has lost the asset says more than that a job failed.
  if measured[STATUS] ~= 'm' then set_status(id, measured, 'f', c[CREATED]) end
  redis.call('ZREM', p .. ':intents', id)
end
write(id, measured, content)
return 'noted'
`);

/** ARGV: fence token ('' = outside of any run), then ids. Answers for each the word where it had one of these statuses, else 'kept'. */
const moveScript = ({ from, to, word }: { from: readonly string[]; to: string; word: string }): Script =>
  defineScript(`${recordPrelude}${leaseFenceIfAny}
local outcomes = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local measured, content = read(id)
  if measured and (${from.map((status) => `measured[STATUS] == '${status}'`).join(' or ')}) then
    set_status(id, measured, '${to}', indexed(content)[CREATED])
    write(id, measured, content)
    note_change()
    outcomes[#outcomes + 1] = '${word}'
  else outcomes[#outcomes + 1] = 'kept' end
end
return outcomes
`);

/** Only records that were settled become missing: never one being saved or deleted. */
export const missingScript = moveScript({ from: ['v', 'f'], to: 'm', word: 'missing' });

/** For ids that the host has again: missing -> saving, so that they are verified anew. */
export const restoreScript = moveScript({ from: ['m'], to: 's', word: 'restored' });

/** ARGV: id, revision that the host now carries. */
export const pushedScript = defineScript(`${recordPrelude}
local id = ARGV[1]
local measured, content = read(id)
if not measured then return 'absent' end
local current = indexed(content)[REV]
if set_pushed(measured, tonumber(ARGV[2]), current) then write(id, measured, content) end
note_pushed(id, measured, current)
return 'noted'
`);

/** ARGV: id, content text ('' = any). Only over that text, if any. The tombstone comes first and stays; the record waits as deleting. */
export const beginDeleteScript = defineScript(`${recordPrelude}
local id = ARGV[1]
local measured, content = read(id)
if not measured then
  if redis.call('ZSCORE', p .. ':tombstones', id) then return 'gone' end
  return 'absent'
end
local c = indexed(content)
if measured[STATUS] == 'x' then return 'deleting' end
if ARGV[2] ~= '' and content ~= ARGV[2] then return 'conflict' end
redis.call('ZADD', p .. ':tombstones', now_ms(), id)
${setDeleting}
note_change()
return 'deleting'
`);

/**
 * ARGV: id, asset id ('' = none). The host has confirmed: the record and its index entries go, the tombstone stays. Where
 * Redis was emptied since, both may be gone, and the tombstone is put again: a snapshot may be on its way in. The asset id,
 * under which the asset could be found anew, gets one too.
 */
export const finishDeleteScript = defineScript(`${entryWritesPrelude}
local id = ARGV[1]
local measured, content = read(id)
if measured and measured[STATUS] ~= 'x' then return 'kept' end
local function bury(member)
  if redis.call('ZADD', p .. ':tombstones', 'NX', now_ms(), member) == 1 then note_change() end
end
bury(id)
if ARGV[2] ~= '' then bury('cld-' .. ARGV[2]) end
if not measured then return 'absent' end
${eraseRecord}
return 'deleted'
`);
