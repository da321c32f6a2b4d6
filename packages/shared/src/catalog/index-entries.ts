import type { RedisKeys } from '../redis/index.js';
import { readIndexed } from './record-codec.js';
import { scoreOfPacked } from './sha256-score.js';

/** A record as its content line tells it. */
export interface ContentOf {
  id: string;
  content: string;
}

/** Entries that belong into one index, in step: `members[i]` with `scores[i]` is of the record at `owners[i]`. */
export interface EntryGroup {
  index: string;
  members: string[];
  scores: number[];
  owners: number[];
}

export interface PageEntries {
  /** Of each record, in their order. */
  createdMs: number[];
  groups: EntryGroup[];
}

/**
 * The index entries that these records need, grouped by index and in its order: so few commands for each index serve a whole
 * page. What `each_index` of script-prelude.ts says of one record. Throws where a line is none of ours.
 */
export function groupEntries(keys: RedisKeys, records: readonly ContentOf[]): PageEntries {
  const groups = new Map<string, EntryGroup>();
  const put = (index: string, score: number, member: string, owner: number): void => {
    let group = groups.get(index);
    if (group === undefined) groups.set(index, (group = { index, members: [], scores: [], owners: [] }));
    group.members.push(member);
    group.scores.push(score);
    group.owners.push(owner);
  };
  const read = records.map(({ id, content }, owner) => {
    const [, type, createdMs, category, tags, sha256] = readIndexed(content);
    return {
      id,
      owner,
      type,
      createdMs,
      category,
      tags,
      checksum: sha256 === '' ? null : scoreOfPacked(sha256),
    };
  });
  for (const { id, owner, type, createdMs, category, tags } of inOrder(read, ({ createdMs }) => createdMs)) {
    put(keys.byType(type), createdMs, id, owner);
    if (category !== '') put(keys.byCategory(category), createdMs, id, owner);
    if (tags !== 0) for (const tag of tags) put(keys.byTag(tag), createdMs, id, owner);
  }
  for (const { id, owner, checksum } of inOrder(read, ({ checksum }) => checksum ?? 0))
    if (checksum !== null) put(keys.bySha256, checksum, id, owner);
  return { createdMs: read.map(({ createdMs }) => createdMs), groups: [...groups.values()] };
}

/** Ids are ASCII, so their order as text is that of their bytes. */
function inOrder<T extends { id: string }>(entries: readonly T[], score: (entry: T) => number): T[] {
  return entries.toSorted((a, b) => score(a) - score(b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}
