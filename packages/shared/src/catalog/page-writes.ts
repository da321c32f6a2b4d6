import type { DurabilityLevel } from '../config/index.js';
import { HoldfastError } from '../errors/index.js';
import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import { groupEntries, type ContentOf, type EntryGroup } from './index-entries.js';
import { absentEntriesScript, createPageScript, provenScript } from './page-scripts.js';
import { encodeVerified, type StoredRecord } from './record-codec.js';

/** A record that is not there yet. */
export interface FreshRecord extends ContentOf {
  pushedRevision: number;
}

/** The scripts hand so many arguments to one command at once; Lua has room for 8,000. */
const LARGEST_GROUP = 2_000;

const guarded = redisEdge('CATALOG_UNAVAILABLE');

/**
 * Writes a page of records, each once in it, as `saving`, in one step and much cheaper than one by one: only where none of
 * them is there and none was deleted here. False, with nothing written, where one is. `counts` says whether these are
 * changes that the next snapshot must have. Throws RUN_SUPERSEDED where the token, if any, is not the lease's, and
 * CATALOG_UNAVAILABLE.
 */
export async function createPage(
  redis: RedisClient,
  keys: RedisKeys,
  records: readonly FreshRecord[],
  { token, counts }: { token: string; counts: boolean },
): Promise<boolean> {
  const args: (string | number)[] = [token, counts ? '1' : '0', records.length];
  for (const { id } of records) args.push(id);
  for (const { pushedRevision, content } of records) args.push(pushedRevision, content);
  for (const { key, members, scores } of inParts(groupEntries(keys, records, 'saving'))) {
    args.push(key, members.length * 2);
    for (const [index, member] of members.entries()) args.push(scores[index] ?? 0, member);
  }
  const answer = await guarded(() => createPageScript(redis, [keys.prefix], args));
  if (answer === 'fenced') throw new HoldfastError('RUN_SUPERSEDED');
  return answer === 'created';
}

/**
 * The ids of those records that lack an index entry which their content calls for. That of the status is not looked for:
 * there is none once a record is verified. Throws CATALOG_UNAVAILABLE.
 */
export async function lackingEntries(
  redis: RedisClient,
  keys: RedisKeys,
  records: readonly ContentOf[],
): Promise<Set<string>> {
  const args: (string | number)[] = [];
  const owners: number[] = [];
  for (const group of inParts(groupEntries(keys, records, null))) {
    args.push(group.key, group.members.length);
    for (const [index, member] of group.members.entries()) {
      owners[args.length] = group.owners[index] ?? 0;
      args.push(member);
    }
  }
  const absent = (await guarded(() => absentEntriesScript(redis, [keys.prefix], args))) as number[];
  return new Set(absent.map((place) => records[owners[place - 1] ?? 0]?.id ?? ''));
}

/**
 * Sets verified those that are still, to the letter, what was read back; false for the others, which were not touched,
 * and for what is missing or deleted here. Throws CATALOG_UNAVAILABLE.
 */
export async function markProven(
  redis: RedisClient,
  keys: RedisKeys,
  level: DurabilityLevel,
  verifiedAt: Date,
  readBack: readonly StoredRecord[],
): Promise<boolean[]> {
  if (readBack.length === 0) return [];
  const args: string[] = [];
  for (const stored of readBack)
    args.push(stored.id, stored.text, encodeVerified(stored, level, verifiedAt.getTime()));
  const answers = (await guarded(() => provenScript(redis, [keys.prefix], args))) as number[];
  return answers.map((answer) => answer === 1);
}

function* inParts(groups: readonly EntryGroup[]): Generator<EntryGroup> {
  for (const group of groups) {
    if (group.members.length <= LARGEST_GROUP) {
      yield group;
      continue;
    }
    for (let first = 0; first < group.members.length; first += LARGEST_GROUP) {
      const part = <T>(list: readonly T[]): T[] => list.slice(first, first + LARGEST_GROUP);
      const { key, members, scores, owners } = group;
      yield { key, members: part(members), scores: part(scores), owners: part(owners) };
    }
  }
}
