import { acknowledged, groupBy, ofKind, type OfKind } from './by-id.js';
import { fieldWrites } from './field-writes.js';
import type { RunResult, Violation } from './final-state.js';
import { valuesPossible } from './register.js';

/** A wipe is noticed within a minute, and refilled at once: until then a read may find nothing. */
const REFILLED_WITHIN_MS = 75_000;

/** Every read gave what had been written: the last value or one that was being written, and never less than before. */
export function checkReads({ operations, wipedAt }: RunResult): Violation[] {
  const reads = groupBy(ofKind(operations, 'read'), ({ id, outcome }) => (outcome === 'ok' ? id : null));
  const edits = groupBy(ofKind(operations, 'edit'), ({ id }) => id);
  const deletes = groupBy(ofKind(operations, 'delete'), ({ id }) => id);
  return [...acknowledged(operations)].flatMap(([id, upload]) => {
    const own = reads.get(id) ?? [];
    const history = { upload, edits: edits.get(id) ?? [], deletes: deletes.get(id) ?? [], wipedAt };
    return [...own.flatMap((read) => checkRead(read, history)), ...checkRevisions(own, wipedAt)];
  });
}

interface MediaHistory {
  upload: OfKind<'upload'>;
  edits: readonly OfKind<'edit'>[];
  deletes: readonly OfKind<'delete'>[];
  wipedAt: readonly number[];
}

function checkRead(read: OfKind<'read'>, { upload, edits, deletes, wipedAt }: MediaHistory): Violation[] {
  const { id, found } = read;
  if (found === null) {
    const deleted = deletes.some(
      ({ outcome, invokedAt }) => outcome !== 'fail' && invokedAt < read.returnedAt,
    );
    const wiped = wipedAt.some((at) => at < read.returnedAt && read.invokedAt < at + REFILLED_WITHIN_MS);
    if (deleted || wiped || upload.deferred || upload.returnedAt > read.invokedAt) return [];
    return [{ kind: 'not found though acknowledged', about: id, detail: at(read) }];
  }
  const deleted = deletes.find(({ outcome, returnedAt }) => outcome === 'ok' && returnedAt < read.invokedAt);
  if (
    deleted !== undefined &&
    found.status !== 'deleting' &&
    !wipedAt.some((time) => time > deleted.invokedAt)
  )
    return [{ kind: 'came back after its deletion', about: id, detail: `${found.status}, ${at(read)}` }];
  return (['title', 'description'] as const).flatMap((field): Violation[] => {
    const possible = valuesPossible(fieldWrites(field, upload, edits, wipedAt), read);
    if (possible.has(found[field])) return [];
    const detail = `${field} ${JSON.stringify(found[field])}, ${at(read)}; possible: ${JSON.stringify([...possible])}`;
    return [{ kind: 'old value read', about: id, detail }];
  });
}

/** Between two reads, one after the other, the revision never falls, unless Redis was wiped between. */
function checkRevisions(reads: readonly OfKind<'read'>[], wipedAt: readonly number[]): Violation[] {
  return reads.flatMap((read): Violation[] => {
    const before = reads.find(
      (earlier) =>
        earlier.returnedAt < read.invokedAt &&
        !wipedAt.some((time) => time < read.returnedAt && time > earlier.invokedAt) &&
        (earlier.found?.revision ?? 0) > (read.found?.revision ?? Infinity),
    );
    if (before === undefined) return [];
    const detail = `${String(before.found?.revision)} at ${String(Math.round(before.returnedAt))} ms, then ${String(read.found?.revision)}, ${at(read)}`;
    return [{ kind: 'revision fell', about: read.id, detail }];
  });
}

const at = (read: OfKind<'read'>): string => `read at ${String(Math.round(read.invokedAt))} ms`;
