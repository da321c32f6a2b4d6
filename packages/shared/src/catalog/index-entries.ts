import type { RedisKeys } from '../redis/index.js';
import { readIndexed } from './record-codec.js';
import { scoreOfPacked } from './sha256-score.js';

/** A record as its content line tells it. */
export interface ContentOf {
  id: string;
  content: string;
}

/**
 * The index entries that these records need, as arguments for a script: ids, creation times and scores of checksums, and then
 * each index with the records that belong into it, in the index's order. What `each_index` of script-prelude.ts says of one
 * record. An entry costs three characters so, and no text is sent twice. Throws where a line is none of ours.
 */
export function entryArguments(keys: RedisKeys, records: readonly ContentOf[]): (string | number)[] {
  const members = new Map<string, string>();
  const put = (index: string, place: string): void => {
    members.set(index, (members.get(index) ?? '') + place);
  };
  const read = records.map(({ id, content }, index) => {
    const [, type, createdMs, category, tags, sha256] = readIndexed(content);
    const checksum = sha256 === '' ? null : scoreOfPacked(sha256);
    return { id, place: placeText(index), type, createdMs, category, tags, checksum };
  });
  for (const { place, type, category, tags } of inOrder(read, ({ createdMs }) => createdMs)) {
    put(keys.byType(type), place);
    if (category !== '') put(keys.byCategory(category), place);
    if (tags !== 0) for (const tag of tags) put(keys.byTag(tag), place);
  }
  for (const { place, checksum } of inOrder(read, ({ checksum }) => checksum ?? 0))
    if (checksum !== null) put(keys.bySha256, place);
  return [
    ...read.map(({ id }) => id),
    ...read.map(({ createdMs }) => createdMs),
    ...read.map(({ checksum }) => checksum ?? ''),
    ...[...members].flat(),
  ];
}

/**
 * Lua that reads these arguments, for scripts with indexPrelude. Calls visit(index, list, record) for each index: the list is
 * score, member, score, member; record(place in the list) is the number of the record, from 1, that the entry is of.
 */
export const entryReader = /* lua */ `
-- ARGV[first + 1] is the id of the first record. To the end.
local function each_entry_list(first, count, visit)
  for at = first + 3 * count + 1, #ARGV, 2 do
    local index, places = ARGV[at], ARGV[at + 1]
    local scores = first + (index == p .. ':i:h' and 2 or 1) * count
    local function record(i)
      local a, b, c = string.byte(places, i, i + 2)
      return a * 4096 + b * 64 + c - 133151
    end
    local list, n = {}, 0
    for i = 1, #places, 3 do
      local number = record(i)
      list[n + 1], list[n + 2], n = ARGV[scores + number], ARGV[first + number], n + 2
    end
    visit(index, list, function(place) return record(place / 2 * 3 - 2) end)
  end
end
`;

/** A number below 262,144 as three characters of one byte each. */
function placeText(index: number): string {
  return String.fromCharCode(32 + (index >> 12), 32 + ((index >> 6) & 63), 32 + (index & 63));
}

/** Ids are ASCII, so their order as text is that of their bytes. */
function inOrder<T extends { id: string }>(entries: readonly T[], score: (entry: T) => number): T[] {
  return entries.toSorted((a, b) => score(a) - score(b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}
