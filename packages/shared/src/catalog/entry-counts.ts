import { defineScript, type RedisKeys } from '../redis/index.js';
import type { ContentOf } from './index-entries.js';
import { indexPrelude } from './index-prelude.js';
import { readIndexed } from './record-codec.js';
import { placeOfPacked } from './sha256-place.js';

/** Half of what a chunk holds: then a lost chunk has a whole stretch in it, and entries of other records cannot make up for it. */
const STRETCH = 32;

/**
 * How many entries these records make for, as arguments for `scarceEntriesScript`: of one checksum its bucket ('' = there is
 * none), its number and its record; the number of buckets of checksums, these, then each other index, how many stretches of it
 * there are, and of each its lowest score, its highest and its number of entries.
 */
export function countArguments(keys: RedisKeys, records: readonly ContentOf[]): (string | number)[] {
  const buckets = new Set<string>();
  const scoresOf = new Map<string, number[]>();
  const put = (index: string, score: number): void => {
    const scores = scoresOf.get(index);
    if (scores === undefined) scoresOf.set(index, [score]);
    else scores.push(score);
  };
  let sample: (string | number)[] = ['', 0, ''];
  for (const { id, content } of records) {
    const [, type, createdMs, category, tags, sha256] = readIndexed(content);
    put(keys.byType(type), createdMs);
    if (category !== '') put(keys.byCategory(category), createdMs);
    if (tags !== 0) for (const tag of tags) put(keys.byTag(tag), createdMs);
    if (sha256 === '') continue;
    const { bucket, score } = placeOfPacked(sha256);
    buckets.add(keys.bySha256(bucket));
    sample = [keys.bySha256(bucket), score, id];
  }
  const args: (string | number)[] = [...sample, buckets.size, ...buckets];
  for (const [index, scores] of scoresOf) {
    scores.sort((a, b) => a - b);
    args.push(index, Math.ceil(scores.length / STRETCH));
    for (let first = 0; first < scores.length; first += STRETCH) {
      const last = Math.min(first + STRETCH, scores.length) - 1;
      args.push(scores[first] ?? 0, scores[last] ?? 0, last - first + 1);
    }
  }
  return args;
}

/**
 * ARGV: what countArguments gives. 1 where a bucket is not there, or an index has fewer entries in a stretch than there should be,
 * else 0. Much cheaper than looking for each entry, and as good where whole keys were lost. That a bucket is there does not tell
 * whether its entries are in the form of this version: one checksum of each page is looked for.
 */
export const scarceEntriesScript = defineScript(`${indexPrelude}
local function has(index, low, high, wanted)
  local directory = directory_of(index)
  local before = redis.call('ZREVRANGEBYSCORE', directory, '(' .. low, '-inf', 'LIMIT', 0, 1)[1]
  local count = redis.call('ZCOUNT', chunk_of(index, before), low, high)
  if count >= wanted then return true end
  -- Where they lie far apart there may be very many; that they are not all looked at makes for too few.
  for _, boundary in ipairs(redis.call('ZRANGEBYSCORE', directory, low, high, 'LIMIT', 0, 2 * wanted)) do
    count = count + redis.call('ZCOUNT', chunk_of(index, boundary), low, high)
    if count >= wanted then return true end
  end
  return false
end

if ARGV[1] ~= '' and tonumber(redis.call('ZSCORE', ARGV[1], ARGV[3]) or -1) ~= tonumber(ARGV[2]) then return 1 end
local at = tonumber(ARGV[4]) + 5
for first = 5, at - 1, 4000 do
  local last = math.min(first + 3999, at - 1)
  if redis.call('EXISTS', unpack(ARGV, first, last)) < last - first + 1 then return 1 end
end
while at < #ARGV do
  local index, last = ARGV[at], at + 1 + 3 * ARGV[at + 1]
  for first = at + 2, last, 3 do
    if not has(index, ARGV[first], ARGV[first + 1], tonumber(ARGV[first + 2])) then return 1 end
  end
  at = last + 1
end
return 0
`);
