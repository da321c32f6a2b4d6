import type { RedisKeys } from '../redis/index.js';
import { byCreation } from './list-cursor.js';
import { readIndexed } from './record-codec.js';
import { placeOfPacked } from './sha256-place.js';

/** A record as its content line tells it. */
export interface ContentOf {
  id: string;
  content: string;
}

/** The names of its indexes come to no more than its content and the prefixes of fifty tags. */
const ENTRY_BYTES = 3_000;

/** What a record with its entries takes in a command, at most. */
export const bytesOfRecord = ({ content }: Pick<ContentOf, 'content'>): number =>
  2 * Buffer.byteLength(content) + ENTRY_BYTES;

/**
 * The index entries that these records need, as arguments for a script: ids, creation times and scores of checksums, and then
 * each index with the records that belong into it, in the order of their creation. What `each_index` of index-prelude.ts says of one
 * record. An entry costs three characters so, and no text is sent twice. Throws where a line is none of ours.
 */
export function entryArguments(keys: RedisKeys, records: readonly ContentOf[]): (string | number)[] {
  const numbersOf = new Map<string, string>();
  const put = (index: string, number: string): void => {
    numbersOf.set(index, (numbersOf.get(index) ?? '') + number);
  };
  const read = records.map(({ id, content }, order) => {
    const [, type, createdMs, category, tags, sha256] = readIndexed(content);
    const checksum = sha256 === '' ? null : placeOfPacked(sha256);
    return { id, number: numberText(order), type, createdMs, category, tags, checksum };
  });
  for (const { number, type, category, tags, checksum } of read.toSorted(byCreation('oldest'))) {
    put(keys.byType(type), number);
    if (category !== '') put(keys.byCategory(category), number);
    if (tags !== 0) for (const tag of tags) put(keys.byTag(tag), number);
    if (checksum !== null) put(keys.bySha256(checksum.bucket), number);
  }
  return [
    ...read.map(({ id }) => id),
    ...read.map(({ createdMs }) => createdMs),
    ...read.map(({ checksum }) => checksum?.score ?? ''),
    ...[...numbersOf].flat(),
  ];
}

/**
 * Lua that reads these arguments, for scripts with indexPrelude. Calls visit(index, list, numbers) for each index: the list is
 * score, member, score, member; number_at(numbers, place in the list) is the number of the record, from 1, of that member.
 */
export const entryReader = /* lua */ `
local function number_at(numbers, place)
  local a, b, c = string.byte(numbers, place / 2 * 3 - 2, place / 2 * 3)
  return a * 4096 + b * 64 + c - 133151
end

-- ARGV[first + 1] is the id of the first record. To the end.
local function each_entry_list(first, count, visit)
  for at = first + 3 * count + 1, #ARGV, 2 do
    local index, numbers = ARGV[at], ARGV[at + 1]
    local scores = first + count
    if string.sub(index, #p + 4, #p + 5) == 'h:' then scores = scores + count end
    local list = {}
    for place = 2, #numbers / 3 * 2, 2 do
      local number = number_at(numbers, place)
      list[place - 1], list[place] = ARGV[scores + number], ARGV[first + number]
    end
    visit(index, list, numbers)
  end
end
`;

/** A number below 262,144 as three characters of one byte each. */
function numberText(order: number): string {
  return String.fromCharCode(32 + (order >> 12), 32 + ((order >> 6) & 63), 32 + (order & 63));
}
