import type { DurabilityLevel } from '../config/index.js';
import { isUnpushed, type MediaRecord } from '../media/index.js';
import {
  fenceArgument,
  inRequests,
  scriptEdge,
  unlessFenced,
  type LeaseToken,
  type RedisClient,
  type RedisKeys,
  type Script,
} from '../redis/index.js';
import { bytesOfRecord } from './index-entries.js';
import { reindexScript } from './index-scripts.js';
import { createPage, markProven, type FreshRecord } from './page-writes.js';
import { encodeContent, encodeLevel, type StoredRecord } from './record-codec.js';
import {
  beginDeleteScript,
  failedScript,
  finishDeleteScript,
  missingScript,
  pushedScript,
  restoreScript,
  saveScript,
  verifiedScript,
} from './record-scripts.js';

/**
 * created, updated; unchanged: the same was there; stale: a newer revision is there; differs: the same revision with
 * other content is there (nothing written); conflict: not what was expected; absent: nothing there although
 * something was expected; tombstoned: deleted here, and stays so.
 */
export type SaveOutcome =
  'created' | 'updated' | 'unchanged' | 'stale' | 'differs' | 'conflict' | 'absent' | 'tombstoned';

/** One record to save, and what must be there for it. */
export interface SaveEntry {
  record: MediaRecord;
  /** What `encodeContent` gives for it, where the caller has that already. */
  content?: string;
  /** By default the revisions decide. */
  expect?: Expected;
}

/**
 * absent: only when nothing is there. A record that was read: only over exactly that, and not where it is missing. Its
 * revision alone would not do: the name and the address of an asset change without a new one.
 */
export type Expected = 'absent' | MediaRecord | StoredRecord;

/** A record that was proven in one revision; any other revision that is there by now is left as it is. */
export interface VerifiedEntry {
  id: string;
  revision: number;
  /** The attempt that proved it, from 1; kept in `persistence`. */
  attempts: number;
}

/** superseded: the record has another revision by now; missing: the host has lost it. */
export type VerifiedOutcome = 'verified' | 'superseded' | 'absent' | 'tombstoned' | 'missing';

/** What `noteFailure` writes into a record, unless it is deleted, or the revision that is named is verified or no longer there. */
export interface FailedAttempt {
  id: string;
  /** 0 = whatever revision is there. */
  revision: number;
  /** How many there were, this one included. */
  attempts: number;
  /** True when no attempt is left: the status becomes failed. */
  final: boolean;
  /** The message is cut after 300 characters. */
  error: { code: string; message: string };
}

/**
 * All changes to records. Each is one atomic script, may be repeated without harm, and never lets an older revision
 * replace a newer one. What asks for a token takes that of a run's lease, and throws RUN_SUPERSEDED when another run holds
 * the lease; what asks for none is as right when it comes late. Every function throws CATALOG_UNAVAILABLE when Redis cannot serve.
 */
export function catalogWrites(redis: RedisClient, keys: RedisKeys) {
  const run = scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE');
  const words = async <T extends string>(script: Script, args: readonly (string | number)[]): Promise<T[]> =>
    unlessFenced(await run(script, args)) as T[];

  /** The same for a list of records that may be longer than what one command carries; `head` goes before each part. */
  const wordsOf = async <T extends string, Item>(
    script: Script,
    head: readonly (string | number)[],
    items: readonly Item[],
    argumentsOf: (item: Item) => readonly (string | number)[],
  ): Promise<T[]> => {
    const all: T[] = [];
    for (const part of inRequests(redis, items))
      all.push(...(await words<T>(script, [...head, ...part.flatMap((item) => argumentsOf(item))])));
    return all;
  };

  const saveAll = (entries: readonly SaveEntry[], token: LeaseToken): Promise<SaveOutcome[]> =>
    words<SaveOutcome>(saveScript, [
      fenceArgument(token),
      ...entries.flatMap((entry) => saveArguments(entry)),
    ]);

  return {
    save: async (record: MediaRecord): Promise<SaveOutcome> =>
      (await saveAll([{ record }], null))[0] ?? 'absent',
    saveIf: async (record: MediaRecord, expect: Expected): Promise<SaveOutcome> =>
      (await saveAll([{ record, expect }], null))[0] ?? 'absent',
    /** Saves up to a page of records, in one step where one command may carry it; outcomes in the order of the entries. */
    saveMany: async (entries: readonly SaveEntry[], token: LeaseToken): Promise<SaveOutcome[]> => {
      const encoded = entries.map((entry) => ({
        ...entry,
        content: entry.content ?? encodeContent(entry.record),
      }));
      const outcomes: SaveOutcome[] = [];
      for (const part of inRequests(redis, encoded, bytesOfRecord)) {
        const fresh = freshRecords(part);
        const isCreated = fresh !== null && (await createPage(redis, keys, fresh, { token, counts: true }));
        outcomes.push(...(isCreated ? part.map(() => 'created' as const) : await saveAll(part, token)));
      }
      return outcomes;
    },
    /** Sets verified where the revision is still the one that was verified, and ends the intent of the upload. */
    markVerified: (
      level: DurabilityLevel,
      verifiedAt: Date,
      entries: readonly VerifiedEntry[],
    ): Promise<VerifiedOutcome[]> =>
      wordsOf(verifiedScript, [encodeLevel(level), verifiedAt.getTime()], entries, (entry) => [
        entry.id,
        entry.revision,
        entry.attempts,
      ]),
    /** Sets verified those that are still, to the letter, what was read back; false for the others. */
    markProven: (
      level: DurabilityLevel,
      verifiedAt: Date,
      readBack: readonly StoredRecord[],
    ): Promise<boolean[]> => markProven(redis, keys, level, verifiedAt, readBack),
    noteFailure: async (failure: FailedAttempt): Promise<void> => {
      const { id, revision, attempts, final, error } = failure;
      await run(failedScript, [
        id,
        revision,
        attempts,
        final ? '1' : '0',
        error.code,
        error.message.slice(0, 300),
        Date.now(),
      ]);
    },
    markMissing: (ids: readonly string[], token: LeaseToken): Promise<('missing' | 'kept')[]> =>
      wordsOf(missingScript, [fenceArgument(token)], ids, (id) => [id]),
    /** Missing records that the host has again become saving, to be verified anew. */
    restore: (ids: readonly string[], token: LeaseToken): Promise<('restored' | 'kept')[]> =>
      wordsOf(restoreScript, [fenceArgument(token)], ids, (id) => [id]),
    /** The host now carries this revision. */
    notePushed: async (id: string, revision: number): Promise<void> => {
      await run(pushedScript, [id, revision]);
    },
    /** gone: deleted earlier and confirmed; conflict: not exactly the record that was read, where one is given. */
    beginDelete: async (
      id: string,
      read?: MediaRecord,
    ): Promise<'deleting' | 'gone' | 'absent' | 'conflict'> =>
      (await run(beginDeleteScript, [id, read === undefined ? '' : encodeContent(read)])) as
        'deleting' | 'gone' | 'absent' | 'conflict',
    /**
     * The record goes, its tombstone stays, and is put again where Redis lost it. `assetId`, under which its asset
     * could be found anew, stays deleted too. kept: the record has come back since, and is not deleting.
     */
    finishDelete: async (id: string, assetId: string | null = null): Promise<'deleted' | 'absent' | 'kept'> =>
      (await run(finishDeleteScript, [id, assetId ?? ''])) as 'deleted' | 'absent' | 'kept',
    /** Writes the index entries of these records anew. */
    reindex: async (ids: readonly string[]): Promise<void> => {
      for (const part of inRequests(redis, ids)) await run(reindexScript, part);
    },
  };
}

function saveArguments({ record, expect, content }: SaveEntry): (string | number)[] {
  return [
    record.id,
    expect === undefined ? '' : expect === 'absent' ? '0' : contentOf(expect),
    record.pushedRevision,
    content ?? encodeContent(record),
  ];
}

function contentOf(read: MediaRecord | StoredRecord): string {
  return 'content' in read ? read.content : encodeContent(read);
}

/** Entries that may be created as a page: different records that nobody should have yet, with nothing to push. */
function freshRecords(entries: readonly (SaveEntry & { content: string })[]): FreshRecord[] | null {
  const isFresh = ({ record, expect }: SaveEntry): boolean => expect === 'absent' && !isUnpushed(record);
  if (!entries.every(isFresh) || new Set(entries.map(({ record }) => record.id)).size < entries.length)
    return null;
  return entries.map(({ record, content }) => ({
    id: record.id,
    pushedRevision: record.pushedRevision,
    content,
  }));
}
