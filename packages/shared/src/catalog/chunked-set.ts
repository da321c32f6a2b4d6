/**
 * Lua of the chunked sorted set, for scripts whose `p` is the hash tag. An index holds members in the order of their score and
 * then of their bytes, as a sorted set does. Redis keeps small sets compact, and an entry of a large one costs three times as
 * much; so an index is many small sets, the chunks. The first has the index's own key: a small index is one plain sorted set.
 * Each further chunk begins at a boundary, `<score>:<member>` of the entry that began it, and ends below the next one. The
 * directory (`:i:d:`) is a sorted set of the boundaries, and `:i:n` counts what is outside the first chunk.
 *
 * What must stay true: a chunk with a boundary is never empty. A boundary stays as it is as long as its chunk. No chunk keeps
 * more than 64 entries, and one that ZADD was asked to make larger is written anew: from 129 on Redis expands a set for ever,
 * and it counts what it is asked to add, there already or not. Only a first chunk that was larger before there were chunks
 * stays one set. Scores are whole numbers, as `%.0f` writes them where they are text. A member has no ':', and appears once:
 * who gives it another score removes it under the old one first (docs/decisions/0017-indexes-in-chunks.md).
 */
export const chunkedSet = /* lua */ `
local counts_key = p .. ':i:n'

local function name_of(index) return string.sub(index, #p + 4) end
local function directory_of(index) return p .. ':i:d:' .. name_of(index) end

-- Statuses and the buckets of checksums are never cut: plain sorted sets, of any size.
local function is_plain(index)
  local kind = string.sub(index, #p + 4, #p + 5)
  return kind == 's:' or kind == 'h:'
end

-- No boundary: the first chunk.
local function chunk_of(index, boundary)
  return boundary and p .. ':i:k:' .. boundary .. ':' .. name_of(index) or index
end

-- As Redis orders members. Lua's own comparison depends on the server's locale.
local function is_before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function boundary_of(score, member) return string.format('%.0f', score) .. ':' .. member end
local function score_of(boundary) return tonumber(string.match(boundary, '^-?%d+')) end

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

local function reaches(score, member, boundary)
  local limit = score_of(boundary)
  if score ~= limit then return score > limit end
  return not is_before(boundary_of(score, member), boundary)
end

local function boundary_after(directory, boundary)
  return boundary_at(directory, boundary and redis.call('ZRANK', directory, boundary) + 1 or 0)
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
`;
