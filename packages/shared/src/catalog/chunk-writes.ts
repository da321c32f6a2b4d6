/**
 * Lua that adds entries to chunked sorted sets and removes them, for scripts with chunkedSet. Each change leaves the set with
 * all that chunked-set.ts says must stay true, and counts exact.
 */
export const chunkWrites = /* lua */ `
local MOST = 64
-- What is left in a chunk at the end of an index, where more will come nearby but not in exact order.
local KEPT = 52

-- Counts what is outside the first chunk, and forgets boundaries whose chunk was lost.
local function recount(index)
  local directory, rest = directory_of(index), 0
  for _, boundary in ipairs(redis.call('ZRANGE', directory, 0, -1)) do
    local size = redis.call('ZCARD', chunk_of(index, boundary))
    if size == 0 then redis.call('ZREM', directory, boundary) end
    rest = rest + size
  end
  if rest > 0 then redis.call('HSET', counts_key, name_of(index), rest)
  else redis.call('HDEL', counts_key, name_of(index)) end
end

local function count_rest(index, more)
  if more == 0 then return end
  if redis.call('HEXISTS', counts_key, name_of(index)) == 0 then return recount(index) end
  if redis.call('HINCRBY', counts_key, name_of(index), more) == 0 then redis.call('HDEL', counts_key, name_of(index)) end
end

-- Writes chunks of entries that ascend: the first with that many, the others with up to size, each under its own boundary,
-- but for the first where a key is given.
local function write_chunks(index, list, from, to, first_size, size, key)
  while from < to do
    local last = math.min(from + 2 * first_size - 1, to)
    if not key then
      local boundary = boundary_of(list[from], list[from + 1])
      redis.call('ZADD', directory_of(index), list[from], boundary)
      key = chunk_of(index, boundary)
      -- Nothing can be there but what lost its boundary.
      redis.call('DEL', key)
    end
    redis.call('ZADD', key, unpack(list, from, last))
    from, first_size, key = last + 1, size, nil
  end
end

-- Adds a run to a chunk that has no room for all of it. Answers by how much there is more outside the first chunk.
local function overflow(index, boundary, list, from, to)
  local key, directory = chunk_of(index, boundary), directory_of(index)
  local before, added = redis.call('ZCARD', key), (to - from + 1) / 2
  if before > MOST then
    for first = from, to, 4000 do redis.call('ZADD', key, unpack(list, first, math.min(first + 3999, to))) end
    return 0
  end
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
    local moved = boundary_of(lowest[2], lowest[1])
    redis.call('ZADD', directory, lowest[2], moved)
    redis.call('RENAME', key, chunk_of(index, moved))
    write_chunks(index, list, from, to - 2 * room, (added - room - 1) % MOST + 1, MOST, key)
  else
    -- Redis puts them in order. It keeps twice as many compact as well, so then only what is cut off is written anew;
    -- a larger set goes.
    for first = from, to, 4000 do redis.call('ZADD', key, unpack(list, first, math.min(first + 3999, to))) end
    local low, high = redis.call('ZRANK', key, list[from + 1]), redis.call('ZRANK', key, list[to])
    local kept = count <= 2 * MOST
    count = redis.call('ZCARD', key)
    local size = math.ceil(count / math.ceil(count / MOST))
    local first_size = size
    if count > MOST and low >= before / 2 and not boundary_after(directory, boundary) then
      first_size, size = KEPT, KEPT
    elseif count > MOST and not boundary and count - high >= before / 2 then
      first_size, size = (count - 1) % KEPT + 1, KEPT
    end
    local rest = redis.call('ZRANGE', key, kept and first_size or 0, -1, 'WITHSCORES')
    for i = 1, #rest, 2 do rest[i], rest[i + 1] = rest[i + 1], rest[i] end
    if kept then
      redis.call('ZREMRANGEBYRANK', key, first_size, -1)
      write_chunks(index, rest, 1, #rest, size, size)
    else
      redis.call('DEL', key)
      write_chunks(index, rest, 1, #rest, first_size, size, key)
    end
  end
  return count - (boundary and before or redis.call('ZCARD', index))
end

local function add_entries(index, list, first, last)
  if is_plain(index) then
    for part = first, last, 4000 do redis.call('ZADD', index, unpack(list, part, math.min(part + 3999, last))) end
    return
  end
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
  if is_plain(index) then redis.call('ZREM', index, member) return end
  local directory = directory_of(index)
  local boundary = locate(directory, score, member)
  local key = chunk_of(index, boundary)
  if redis.call('ZREM', key, member) == 0 or not boundary then return end
  count_rest(index, -1)
  if redis.call('EXISTS', key) == 0 then redis.call('ZREM', directory, boundary) end
end
`;
