import type { DurabilityLevel } from '../config/index.js';
import {
  fenceArgument,
  inRequests,
  redisEdge,
  unlessFenced,
  type LeaseToken,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';
import { bytesOfRecord, entryArguments, type ContentOf } from './index-entries.js';
import { absentEntriesScript } from './index-scripts.js';
import { createPageScript, provenScript } from './page-scripts.js';
import { encodeVerified, type StoredRecord } from './record-codec.js';

/** A record that is not there yet. */
export interface FreshRecord extends ContentOf {
  pushedRevision: number;
}

const guarded = redisEdge('CATALOG_UNAVAILABLE');
/** An id and the measured line of a record, the message of its last error included. */
const LINE_BYTES = 2_000;

/**
 * Writes a page of records that one command may carry, each once in it, as `saving`, in one step and much cheaper than one by one: only where none of
 * them is there and none was deleted here. False, with nothing written, where one is. `counts` says whether these are
 * changes that the next snapshot must have. Throws RUN_SUPERSEDED where the token, if any, is not the lease's, and
 * CATALOG_UNAVAILABLE.
 */
export async function createPage(
  redis: RedisClient,
  keys: RedisKeys,
  records: readonly FreshRecord[],
  { token, counts }: { token: LeaseToken; counts: boolean },
): Promise<boolean> {
  const args: (string | number)[] = [fenceArgument(token), counts ? '1' : '0', records.length];
  for (const { pushedRevision, content } of records) args.push(pushedRevision, content);
  for (const argument of entryArguments(keys, records)) args.push(argument);
  return unlessFenced(await guarded(() => createPageScript(redis, [keys.prefix], args))) === 'created';
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
  const lacking = new Set<string>();
  for (const part of inRequests(redis, records, bytesOfRecord)) {
    const args = [part.length, ...entryArguments(keys, part)];
    const absent = (await guarded(() => absentEntriesScript(redis, [keys.prefix], args))) as number[];
    for (const number of absent) lacking.add(part[number - 1]?.id ?? '');
  }
  return lacking;
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
  const proven: boolean[] = [];
  for (const part of inRequests(redis, readBack, ({ text }) => Buffer.byteLength(text) + LINE_BYTES)) {
    const args: string[] = [];
    for (const stored of part)
      args.push(stored.id, stored.text, encodeVerified(stored, level, verifiedAt.getTime()));
    const answers = (await guarded(() => provenScript(redis, [keys.prefix], args))) as number[];
    for (const answer of answers) proven.push(answer === 1);
  }
  return proven;
}
