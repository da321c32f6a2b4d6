/** Lua that reads chunked sorted sets, for scripts with chunkedSet. Plain sorted sets of any size may be read as well. */
export const chunkReads = /* lua */ `
local function size_of(index)
  local first, rest = redis.call('ZCARD', index), redis.call('HGET', counts_key, name_of(index))
  if rest or is_plain(index) then return first + (rest or 0) end
  -- The count was lost, or there is nothing to count.
  rest = 0
  for _, boundary in ipairs(redis.call('ZRANGE', directory_of(index), 0, -1)) do
    rest = rest + redis.call('ZCARD', chunk_of(index, boundary))
  end
  return first + rest
end

local function absent_from(key, list, from, to, visit)
  for first = from, to, 4000 do
    local members = {}
    for place = first + 1, math.min(first + 3999, to), 2 do members[#members + 1] = list[place] end
    local scores = redis.call('ZMSCORE', key, unpack(members))
    for n = 1, #members do
      local wanted = list[first + 2 * n - 2]
      -- Mostly the same text; converting costs more than looking.
      if scores[n] ~= wanted and (not scores[n] or tonumber(scores[n]) ~= tonumber(wanted)) then visit(first + 2 * n - 1) end
    end
  end
end

-- Visits where in the list the members are that are not there under their score.
local function each_absent(index, list, first, last, visit)
  if is_plain(index) then return absent_from(index, list, first, last, visit) end
  each_run(index, list, first, last, function(boundary, from, to)
    absent_from(chunk_of(index, boundary), list, from, to, visit)
  end)
end

-- How many entries of this set come before the place after this entry, seen from the end where the page begins. An
-- entry that is gone is replaced by the place where it would be. By rank: the cost does not grow with the size.
local function passed(key, newest, score, member)
  local low, high = 0, redis.call('ZCARD', key)
  local rank = redis.call('ZRANK', key, member)
  if rank and tonumber(redis.call('ZSCORE', key, member)) == score then return newest and high - rank or rank + 1 end
  local size = high
  while low < high do
    local middle = math.floor((low + high) / 2)
    local at = redis.call('ZRANGE', key, middle, middle, 'WITHSCORES')
    if is_below(score, member, tonumber(at[2]), at[1]) then high = middle else low = middle + 1 end
  end
  return newest and size - low or low
end

-- The next entries after this one ('' = from the start), as member, score, member, score. Walks chunk by chunk.
local function page(index, newest, score, member, count)
  local directory = directory_of(index)
  local found, start, rank, boundary = {}, 0, -1, nil
  if member ~= '' then
    boundary = locate(directory, score, member)
    rank = boundary and redis.call('ZRANK', directory, boundary) or -1
    start = passed(chunk_of(index, boundary), newest, score, member)
  elseif newest then
    rank = redis.call('ZCARD', directory) - 1
    boundary = rank >= 0 and boundary_at(directory, rank) or nil
  end
  while true do
    local last = start + count - #found / 2 - 1
    local part = redis.call(newest and 'ZREVRANGE' or 'ZRANGE', chunk_of(index, boundary), start, last, 'WITHSCORES')
    for i = 1, #part do found[#found + 1] = part[i] end
    rank = newest and rank - 1 or rank + 1
    if #found >= 2 * count or rank < -1 then return found end
    boundary = rank >= 0 and boundary_at(directory, rank) or nil
    if rank >= 0 and not boundary then return found end
    start = 0
  end
end
`;
