import { defineScript, leaseFence } from '../redis/index.js';

/**
 * A report is one sorted set, all scores 0, of `<rank of the kind><what names the item>\\n<JSON>`: in the order of bytes, so
 * that an item met again is found, and a page begins anywhere.
 */
const ranks = /* lua */ `
local function count(key, rank)
  return redis.call('ZLEXCOUNT', key, '[' .. rank, '(' .. string.char(string.byte(rank) + 1))
end
`;

/**
 * KEYS: hash tag, report under way. ARGV: lease token, its life in seconds, how many are kept of each kind, 'over' or 'new'
 * (leave what is there), then place and JSON of each item. Answers 'fenced', or the ranks of which no more are kept.
 */
export const noteDriftScript = defineScript(`${ranks}
local p, key = KEYS[1], KEYS[2]
${leaseFence}local kept, over = tonumber(ARGV[3]), ARGV[4] == 'over'
local sizes = {}
for i = 5, #ARGV, 2 do
  local place, item = ARGV[i], ARGV[i] .. '\\n' .. ARGV[i + 1]
  local rank = string.sub(place, 1, 1)
  sizes[rank] = sizes[rank] or count(key, rank)
  local old = redis.call('ZRANGEBYLEX', key, '[' .. place .. '\\n', '(' .. place .. '\\11', 'LIMIT', 0, 1)[1]
  if old then
    if over and old ~= item then
      redis.call('ZREM', key, old)
      redis.call('ZADD', key, 0, item)
    end
  elseif sizes[rank] < kept then
    redis.call('ZADD', key, 0, item)
    sizes[rank] = sizes[rank] + 1
  end
end
redis.call('EXPIRE', key, ARGV[2])
local full = ''
for rank, size in pairs(sizes) do if size >= kept then full = full .. rank end end
return full
`);

/**
 * KEYS: hash tag, report. ARGV: the run that it must be of ('' = any), place after which to begin ('' = the start), how many,
 * then the ranks. Answers the run ('' before there was one), the items, and the count of each rank; the run alone where
 * it is another.
 */
export const readDriftScript = defineScript(`${ranks}
local p, key = KEYS[1], KEYS[2]
local run = redis.call('HGET', p .. ':sync:state', 'driftRun') or ''
if ARGV[1] ~= '' and ARGV[1] ~= run then return { run } end
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2] .. '\\11'
local answer = { run, redis.call('ZRANGEBYLEX', key, from, '+', 'LIMIT', 0, ARGV[3]) }
for i = 4, #ARGV do answer[#answer + 1] = count(key, ARGV[i]) end
return answer
`);
