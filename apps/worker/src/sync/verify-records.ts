import { isBelow } from '@holdfast/shared/config';
import type { MediaRecord } from '@holdfast/shared/media';
import { judgeRecord } from '../verify/judge-record.js';
import type { SyncDependencies } from './sync-dependencies.js';

type VerifyParts = Pick<SyncDependencies, 'readBack' | 'barrier' | 'serverJudged' | 'catalog' | 'settings'>;

/** Read-backs until the records agree and both connections lasted from the read-back to the barrier. */
const TRIES = 3;

/**
 * Proves that the records of a page are there, as `verify` does for an upload: read back over another connection,
 * compared, confirmed by one barrier. Answers how many could not be verified; they stay `saving`, and a later run
 * takes them up again.
 */
export async function verifyRecords(records: readonly MediaRecord[], parts: VerifyParts): Promise<number> {
  let open = records;
  for (let left = TRIES; left > 0 && open.length > 0; left -= 1) open = await verifyOnce(open, parts);
  return open.length;
}

/** Those that are to be looked at again. */
async function verifyOnce(
  records: readonly MediaRecord[],
  { readBack, barrier, serverJudged, catalog, settings }: VerifyParts,
): Promise<MediaRecord[]> {
  const before = [readBack.epoch(), barrier.epoch()];
  const found = await Promise.all(records.map((record) => readBack.read(record.id)));
  const again: MediaRecord[] = [];
  const unindexed: string[] = [];
  const same: MediaRecord[] = [];
  for (const [index, record] of records.entries()) {
    const verdict = judgeRecord(record, found[index] ?? { stored: null, gaps: 1 });
    if (verdict === 'superseded') continue;
    if (verdict === 'same') same.push(record);
    else again.push(record);
    if (verdict === 'unindexed') unindexed.push(record.id);
  }
  if (unindexed.length > 0) await catalog.reindex(unindexed);
  if (same.length === 0) return again;
  await serverJudged();
  const level = await barrier.confirm();
  if (
    isBelow(level, settings.durability.required) ||
    readBack.epoch() !== before[0] ||
    barrier.epoch() !== before[1]
  )
    return [...again, ...same];
  await catalog.markVerified(
    level,
    new Date(),
    same.map(({ id, revision }) => ({ id, revision, attempts: 1 })),
  );
  return again;
}
