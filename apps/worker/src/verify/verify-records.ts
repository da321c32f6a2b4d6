import type { Catalog, FoundRecord } from '@holdfast/shared/catalog';
import { isBelow, type Settings } from '@holdfast/foundation/config';
import type { Barrier } from '@holdfast/shared/durability';
import { readSettled } from '@holdfast/shared/redis';
import {
  judgeContent,
  PROOF_TRIES,
  trackConnections,
  type ExpectedRecord,
  type ReadBack,
} from './read-back.js';

export interface VerifyRecordsParts {
  readBack: Pick<ReadBack, 'readPage' | 'epoch' | 'lagMs'>;
  barrier: Pick<Barrier, 'confirm' | 'epoch'>;
  /** Resolves once it is known whether this server's confirmations may be believed. */
  serverJudged: () => Promise<void>;
  catalog: Pick<Catalog, 'reindex' | 'markVerified'>;
  settings: Pick<Settings, 'durability'>;
}

/**
 * Proves that the records of a page are there, as `verify` does for an upload: read back over another connection,
 * compared, confirmed by one barrier. Only what still has the content that was read back becomes verified. Answers how many
 * could not be verified; they stay `saving`, and a later run takes them up again.
 */
export async function verifyRecords(
  records: readonly ExpectedRecord[],
  parts: VerifyRecordsParts,
): Promise<number> {
  let open = records;
  for (let left = PROOF_TRIES; left > 0 && open.length > 0; left -= 1) open = await verifyOnce(open, parts);
  return open.length;
}

/** Those that are to be looked at again. */
async function verifyOnce(
  records: readonly ExpectedRecord[],
  { readBack, barrier, serverJudged, catalog, settings }: VerifyRecordsParts,
): Promise<ExpectedRecord[]> {
  const haveLasted = trackConnections(readBack, barrier);
  const found = await readAll(records, readBack);
  const again: ExpectedRecord[] = [];
  const unindexed: string[] = [];
  const same: ExpectedRecord[] = [];
  for (const [index, record] of records.entries()) {
    const one = found[index] ?? nothing;
    const verdict = judgeContent(record, one);
    if (verdict === 'superseded') continue;
    if (verdict !== 'same' || one.stored === null) {
      again.push(record);
      if (verdict === 'unindexed') unindexed.push(record.id);
    } else if (one.stored.status !== 'missing') {
      // A sweep or a notification that came in between has the last word on what is missing.
      same.push(record);
    }
  }
  if (unindexed.length > 0) await catalog.reindex(unindexed);
  if (same.length === 0) return again;
  await serverJudged();
  const level = await barrier.confirm();
  if (isBelow(level, settings.durability.required) || !haveLasted()) return [...again, ...same];
  const marked = await catalog.markVerified(
    level,
    new Date(),
    same.map((record) => ({ ...record, attempts: 1 })),
  );
  for (const [index, record] of same.entries()) if (marked[index] !== 'verified') again.push(record);
  return again;
}

/** Those alone again that may be on their way to the server that answered. */
async function readAll(
  records: readonly ExpectedRecord[],
  readBack: VerifyRecordsParts['readBack'],
): Promise<FoundRecord[]> {
  const found = new Map<string, FoundRecord>();
  const open = (): ExpectedRecord[] =>
    records.filter((record) => {
      const read = found.get(record.id);
      return read === undefined || judgeContent(record, read) !== 'same' || read.stored?.status === 'missing';
    });
  await readSettled(
    readBack.lagMs,
    async () => {
      const asked = open();
      const read = await readBack.readPage(asked.map(({ id }) => id));
      for (const [index, { id }] of asked.entries()) found.set(id, read[index] ?? nothing);
    },
    () => open().length === 0,
  );
  return records.map(({ id }) => found.get(id) ?? nothing);
}

const nothing: FoundRecord = { stored: null, gaps: 1 };
