import type { RedisKeys } from '../redis/index.js';
import { sha256PlaceOf } from './packed-hex.js';
import { readIndexed, statusCode } from './record-codec.js';

/** A record as its content line tells it. */
export interface ContentOf {
  id: string;
  content: string;
}

/** Entries that belong into one index, in step: `members[i]` with `scores[i]` is of the record at `owners[i]`. */
export interface EntryGroup {
  key: string;
  members: string[];
  scores: number[];
  owners: number[];
}

/**
 * The index entries that these records need, grouped by index: so one command for each index serves a whole page. What
 * `each_index` of script-prelude.ts says of one record, and the entry of the status where one is given. Throws where a line
 * is none of ours.
 */
export function groupEntries(
  keys: RedisKeys,
  records: readonly ContentOf[],
  status: 'saving' | null,
): EntryGroup[] {
  const groups = new Map<string, EntryGroup>();
  const put = (key: string, score: number, member: string, owner: number): void => {
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { key, members: [], scores: [], owners: [] }));
    group.members.push(member);
    group.scores.push(score);
    group.owners.push(owner);
  };
  const byStatus = status === null ? null : keys.byStatus(statusCode[status]);
  for (const [owner, { id, content }] of records.entries()) {
    const [, type, createdMs, category, tags, sha256] = readIndexed(content);
    if (byStatus !== null) put(byStatus, createdMs, id, owner);
    put(keys.byType(type), createdMs, id, owner);
    if (category !== '') put(keys.byCategory(category), createdMs, id, owner);
    if (tags !== 0) for (const tag of tags) put(keys.byTag(tag), createdMs, id, owner);
    if (sha256 === '') continue;
    const { bucket, start } = sha256PlaceOf(sha256);
    put(keys.bySha256(bucket), 0, `${start}:${id}`, owner);
  }
  return [...groups.values()];
}
