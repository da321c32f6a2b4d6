import { isBelow, type DurabilityLevel, type Settings } from '@holdfast/foundation/config';
import type { Catalog, FoundRecord, StoredRecord, VerifiedOutcome } from '@holdfast/shared/catalog';
import type { Barrier } from '@holdfast/shared/durability';
import { failpoint } from '@holdfast/shared/failpoint';
import { readSettled } from '@holdfast/shared/redis';
import { judgeRecord, type ExpectedRecord, type ReadBack, type Verdict } from './read-back.js';

export interface ProofParts {
  readBack: ReadBack;
  barrier: Pick<Barrier, 'confirm' | 'epoch'>;
  /** Resolves once it is known whether this server's confirmations may be believed. */
  serverJudged: () => Promise<void>;
  catalog: Pick<Catalog, 'markVerified'>;
  settings: Pick<Settings, 'durability'>;
}

/** What came of one record. */
export interface Proof {
  /**
   * Beyond what was read back, and what became of it since: `too_low`: the server confirms less than is required; `unconfirmed`: a
   * connection was lost in between, and a server that was restarted or replaced confirms what it does not have.
   */
  outcome: Exclude<Verdict, 'same'> | VerifiedOutcome | 'too_low' | 'unconfirmed';
  stored: StoredRecord | null;
  /** What the server confirmed, where it was asked. */
  level?: DurabilityLevel;
}

/**
 * Proves that records are there: reads them back over another connection, compares every field and index entry, has the server
 * confirm by one barrier that they are on disk, and only then marks them verified, where they still have the content that was
 * read back.
 */
export async function proveRecords(
  records: readonly ExpectedRecord[],
  { readBack, barrier, serverJudged, catalog, settings }: ProofParts,
): Promise<Proof[]> {
  const epochs = [readBack.epoch(), barrier.epoch()];
  const found = await readAll(records, readBack);
  const proofs = records.map((record, index): Proof => {
    const { stored, gaps } = found[index] ?? nothing;
    const verdict = judgeRecord(record, { stored, gaps });
    // A sweep or a notification that came in between has the last word on what is missing.
    if (verdict === 'same') return { outcome: stored?.status === 'missing' ? 'missing' : 'verified', stored };
    return { outcome: verdict, stored };
  });
  const same = records.flatMap((record, index) => {
    const proof = proofs[index];
    return proof?.outcome === 'verified' ? [{ record, proof }] : [];
  });
  if (same.length === 0) return proofs;
  failpoint('verify.read-back');
  await serverJudged();
  const level = await barrier.confirm();
  failpoint('verify.confirmed');
  const haveLasted = readBack.epoch() === epochs[0] && barrier.epoch() === epochs[1];
  const isTooLow = isBelow(level, settings.durability.required);
  const marked =
    haveLasted && !isTooLow
      ? await catalog.markVerified(
          level,
          new Date(),
          same.map(({ record }) => ({ attempts: 1, ...record })),
        )
      : [];
  for (const [index, { proof }] of same.entries()) {
    proof.level = level;
    proof.outcome = marked[index] ?? (haveLasted ? 'too_low' : 'unconfirmed');
  }
  failpoint('verify.marked');
  return proofs;
}

/** Reads those alone again that may be on their way to the server that answered. */
async function readAll(records: readonly ExpectedRecord[], readBack: ReadBack): Promise<FoundRecord[]> {
  const found = new Map<string, FoundRecord>();
  const open = (): ExpectedRecord[] =>
    records.filter((record) => {
      const read = found.get(record.id);
      return read === undefined || judgeRecord(record, read) !== 'same' || read.stored?.status === 'missing';
    });
  await readSettled(
    readBack.lagMs,
    async () => {
      const asked = open();
      const read = await readBack.read(asked.map(({ id }) => id));
      for (const [index, { id }] of asked.entries()) found.set(id, read[index] ?? nothing);
    },
    () => open().length === 0,
  );
  return records.map(({ id }) => found.get(id) ?? nothing);
}

const nothing: FoundRecord = { stored: null, gaps: 1 };

/** How often a page is looked at before a run leaves what is not proven to a later one. */
const LOOKS = 3;
const settled: ReadonlySet<Proof['outcome']> = new Set(['verified', 'superseded', 'tombstoned', 'missing']);

/** Proves the records of a page. Answers how many could not be verified: they stay `saving`, and a later run takes them up again. */
export async function verifyRecords(
  records: readonly ExpectedRecord[],
  parts: ProofParts & { catalog: Pick<Catalog, 'reindex'> },
): Promise<number> {
  let open = records;
  for (let left = LOOKS; left > 0 && open.length > 0; left -= 1) {
    const proofs = await proveRecords(open, parts);
    const unindexed = open.filter((_, index) => proofs[index]?.outcome === 'unindexed');
    if (unindexed.length > 0) await parts.catalog.reindex(unindexed.map(({ id }) => id));
    open = open.filter((_, index) => !settled.has(proofs[index]?.outcome ?? 'absent'));
  }
  return open.length;
}
