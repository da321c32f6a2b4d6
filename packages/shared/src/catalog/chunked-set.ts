/**
 * Lua of the chunked sorted set, for scripts whose `p` is the hash tag. An index holds entries in the order of score and then
 * of member as bytes. Redis keeps a sorted set of up to 128 entries compact, and a large one at three times the memory; so an
 * index is many small sets. The first chunk has the index's own key: an index of at most 128 entries is one plain sorted
 * set, and a plain sorted set of any size may be read as an index. Every further chunk has a boundary, `<score>:<member>`
 * of the entry that began it: the chunk holds what lies at or above its boundary and below the next one. The directory
 * (`:i:d:`) is a sorted set of the boundaries, and `:i:n` counts what is outside the first chunk.
 *
 * What must stay true: a chunk of more than 128 entries is never left behind, since Redis does not make it compact again;
 * ZADD expands a set by what it is asked to add, there already or not. A chunk with a boundary is never empty. A boundary
 * stays as it is as long as its chunk. Scores are whole numbers, and a member has no ':' (docs/decisions/0017-indexes-in-chunks.md).
 */
export const chunkedSet = /* lua */ `
local MOST = 64
-- What is left in a chunk at the end of an index, where more will come nearby but not in exact order.
local KEPT = 52

local function name_of(index) return string.sub(index, #p + 4) end
local function directory_of(index) return p .. ':i:d:' .. name_of(index) end

-- No boundary: the first chunk.
local function chunk_of(index, boundary)
  return boundary and p .. ':i:k:' .. boundary .. ':' .. name_of(index) or index
end

local function count_rest(index, more)
  if more ~= 0 and redis.call('HINCRBY', p .. ':i:n', name_of(index), more) == 0 then
    redis.call('HDEL', p .. ':i:n', name_of(index))
  end
end

local function size_of(index)
  return redis.call('ZCARD', index) + (redis.call('HGET', p .. ':i:n', name_of(index)) or 0)
end

-- As Redis orders members. Lua's own comparison depends on the server's locale.
local function is_before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function place_of(score, member) return string.format('%.0f', score) .. ':' .. member end
local function score_of(place) return tonumber(string.match(place, '^-?%d+')) end

local function is_below(score, member, other_score, other_member)
  if score ~= other_score then return score < other_score end
  return is_before(member, other_member)
end

local function boundary_at(directory, rank) return redis.call('ZRANGE', directory, rank, rank)[1] end

-- The boundary of the chunk that this entry belongs to.
local function locate(directory, score, member)
  local same = type(score) == 'string' and score or string.format('%.0f', score)
  local boundary = redis.call('ZREVRANGEBYSCORE', directory, same, '-inf', 'LIMIT', 0, 1)[1]
  if not boundary or string.sub(boundary, 1, #same + 1) ~= same .. ':' then return boundary end
  local place = same .. ':' .. member
  if not is_before(place, boundary) then return boundary end
  -- Several chunks begin with this score: the first of them above the place is sought by halves.
  local low = redis.call('ZCOUNT', directory, '-inf', '(' .. same)
  local high = low + redis.call('ZCOUNT', directory, same, same)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(place, boundary_at(directory, middle)) then high = middle else low = middle + 1 end
  end
  return low > 0 and boundary_at(directory, low - 1) or nil
end

local function boundary_after(directory, boundary)
  return boundary_at(directory, boundary and redis.call('ZRANK', directory, boundary) + 1 or 0)
end

local function reaches(score, member, boundary)
  local limit = score_of(boundary)
  if score ~= limit then return score > limit end
  return not is_before(place_of(score, member), boundary)
end

-- Entries are lists of score, member, score, member. Cuts list[first..last] into runs that ascend and lie within one
-- chunk: visit(boundary, from, to), which may change its own chunk. Any order is right. In order there are few runs, and
-- the boundaries between them are asked for at once; singly where there are far more of them than entries.
local function each_run(index, list, first, last, visit)
  local directory = directory_of(index)
  local from, singly = first, false
  while from < last do
    local boundary = locate(directory, list[from], list[from + 1])
    local score, to = tonumber(list[from]), from + 1
    -- The next boundaries, and the score up to which they are all of them.
    local coming, n, horizon = {}, 1, -math.huge
    if to < last and not singly then
      local most = 3 * (last - from + 1)
      coming = redis.call('ZRANGEBYSCORE', directory, list[from], list[last - 1], 'LIMIT', 0, most)
      singly = #coming == most
      if not singly then horizon = tonumber(list[last - 1]) end
    end
    while coming[n] and reaches(score, list[to], coming[n]) do n = n + 1 end
    local limit = coming[n] and score_of(coming[n])
    while to < last do
      local next_score, next_member = tonumber(list[to + 1]), list[to + 2]
      if next_score > horizon then break end
      if next_score <= score and not is_below(score, list[to], next_score, next_member) then
        singly = true
        break
      end
      local before = boundary
      while limit and next_score >= limit and reaches(next_score, next_member, coming[n]) do
        boundary, n = coming[n], n + 1
        limit = coming[n] and score_of(coming[n])
      end
      if boundary ~= before then
        visit(before, from, to)
        from = to + 1
      end
      score, to = next_score, to + 2
    end
    visit(boundary, from, to)
    from = to + 1
  end
end

-- Writes chunks of entries that ascend: the first with that many, the others with up to size, each under its own boundary,
-- but for the first where a key is given.
local function write_chunks(index, list, from, to, first_size, size, key)
  while from < to do
    local last = math.min(from + 2 * first_size - 1, to)
    if not key then
      local boundary = place_of(list[from], list[from + 1])
      redis.call('ZADD', directory_of(index), list[from], boundary)
      key = chunk_of(index, boundary)
    end
    redis.call('ZADD', key, unpack(list, from, last))
    from, first_size, key = last + 1, size, nil
  end
end

-- Adds a run to a chunk that has no room for all of it. Answers by how much there is more outside the first chunk.
local function overflow(index, boundary, list, from, to)
  local key, directory = chunk_of(index, boundary), directory_of(index)
  local before, added = redis.call('ZCARD', key), (to - from + 1) / 2
  local room = math.min(MOST - before, added)
  local lowest, highest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES'), redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
  local count = before + added
  if before == 0 then
    write_chunks(index, list, from, to, MOST, MOST, key)
  elseif is_below(tonumber(highest[2]), highest[1], tonumber(list[from]), list[from + 1]) then
    -- All above: the usual case. What is there stays, filled up.
    if room > 0 then redis.call('ZADD', key, unpack(list, from, from + 2 * room - 1)) end
    write_chunks(index, list, from + 2 * room, to, MOST, MOST)
  elseif is_below(tonumber(list[to - 1]), list[to], tonumber(lowest[2]), lowest[1]) then
    -- All below, as from a host that lists the newest first: what is there, filled up, moves to a boundary of its own.
    if room > 0 then
      redis.call('ZADD', key, unpack(list, to - 2 * room + 1, to))
      lowest = { list[to - 2 * room + 2], list[to - 2 * room + 1] }
    end
    local moved = place_of(lowest[2], lowest[1])
    redis.call('ZADD', directory, lowest[2], moved)
    redis.call('RENAME', key, chunk_of(index, moved))
    write_chunks(index, list, from, to - 2 * room, (added - room - 1) % MOST + 1, MOST, key)
  else
    -- Redis puts them in order. The set stops being compact here, and goes.
    for first = from, to, 4000 do redis.call('ZADD', key, unpack(list, first, math.min(first + 3999, to))) end
    local low, high = redis.call('ZRANK', key, list[from + 1]), redis.call('ZRANK', key, list[to])
    local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    redis.call('DEL', key)
    for i = 1, #all, 2 do all[i], all[i + 1] = all[i + 1], all[i] end
    count = #all / 2
    local size = math.ceil(count / math.ceil(count / MOST))
    local first_size = size
    if count > MOST and low >= before / 2 and not boundary_after(directory, boundary) then
      first_size, size = KEPT, KEPT
    elseif count > MOST and not boundary and count - high >= before / 2 then
      first_size, size = (count - 1) % KEPT + 1, KEPT
    end
    write_chunks(index, all, 1, #all, first_size, size, key)
  end
  return count - (boundary and before or redis.call('ZCARD', index))
end

local function add_entries(index, list, first, last)
  local rest = 0
  each_run(index, list, first, last, function(boundary, from, to)
    local key = chunk_of(index, boundary)
    if redis.call('ZCARD', key) + (to - from + 1) / 2 > MOST then
      rest = rest + overflow(index, boundary, list, from, to)
    else
      local added = redis.call('ZADD', key, unpack(list, from, to))
      if boundary then rest = rest + added end
    end
  end)
  count_rest(index, rest)
end

local function remove_entry(index, score, member)
  local directory = directory_of(index)
  local boundary = locate(directory, score, member)
  local key = chunk_of(index, boundary)
  if redis.call('ZREM', key, member) == 0 or not boundary then return end
  count_rest(index, -1)
  if redis.call('EXISTS', key) == 0 then redis.call('ZREM', directory, boundary) end
end

-- Visits the places in the list of the members that are not there.
local function each_absent(index, list, first, last, visit)
  each_run(index, list, first, last, function(boundary, from, to)
    for part = from, to, 4000 do
      local members = {}
      for place = part + 1, math.min(part + 3999, to), 2 do members[#members + 1] = list[place] end
      local scores = redis.call('ZMSCORE', chunk_of(index, boundary), unpack(members))
      for n = 1, #members do
        if not scores[n] then visit(part + 2 * n - 1) end
      end
    end
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

-- All members with this score.
local function members_at(index, score)
  local directory = directory_of(index)
  local found, boundary = {}, locate(directory, score, '')
  repeat
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', chunk_of(index, boundary), score, score)) do
      found[#found + 1] = member
    end
    boundary = boundary_after(directory, boundary)
  until not boundary or score_of(boundary) > tonumber(score)
  return found
end
`;
