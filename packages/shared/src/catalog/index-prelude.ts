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

/** Lua of the scripts that write index entries. */
export const entryWritesPrelude = /* lua */ `${entryPrelude}${chunkWrites}
local function add(index, score, member) add_entries(index, { score, member }, 1, 2) end
`;
