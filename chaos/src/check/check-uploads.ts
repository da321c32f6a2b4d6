import type { Media } from '../clients/media.js';
import { acknowledged, groupBy, ofKind, type OfKind } from './by-id.js';
import { fieldWrites } from './field-writes.js';
import type { RunResult, Violation } from './final-state.js';
import { valuesPossible } from './register.js';

const AT_THE_END = { invokedAt: Infinity, returnedAt: Infinity };

/** Promise 1: what was acknowledged is there, once, as it was sent or last edited; and what was refused is not. */
export function checkUploads(run: RunResult): Violation[] {
  const found: Violation[] = [];
  const uploads = acknowledged(run.operations);
  const records = new Map(run.records.map((record) => [record.id, record]));
  const assets = new Map(run.assets.map((asset) => [asset.assetId, asset]));
  const deletes = groupBy(ofKind(run.operations, 'delete'), ({ id, outcome }) =>
    outcome === 'fail' ? null : id,
  );
  const edits = groupBy(ofKind(run.operations, 'edit'), ({ id }) => id);
  for (const [id, upload] of uploads) {
    const record = records.get(id);
    if (record === undefined) {
      if (!deletes.has(id))
        found.push({
          kind: 'lost',
          about: id,
          detail: `not in the catalog; acknowledged by ${upload.answer}`,
        });
      continue;
    }
    // A deletion without an answer, or taken back by a wipe: judged by the rules for deletions.
    if (record.status === 'missing' && deletes.has(id)) continue;
    if (record.status !== 'verified')
      found.push({ kind: 'lost', about: id, detail: `its status is ${record.status}` });
    const asset = assets.get(record.assetId);
    if (asset === undefined) found.push({ kind: 'lost', about: id, detail: 'its asset is not on the host' });
    else if (asset.sha256 !== upload.sha256)
      found.push({ kind: 'bytes differ', about: id, detail: `the host has ${String(asset.sha256)}` });
    found.push(...checkFields(record, upload, edits.get(id) ?? [], run.wipedAt));
  }
  return [...found, ...checkDuplicates(run, uploads), ...checkRefused(run)];
}

function checkFields(
  record: Media,
  upload: OfKind<'upload'>,
  edits: readonly OfKind<'edit'>[],
  wipedAt: readonly number[],
): Violation[] {
  const differs = (field: string, has: unknown, expected: unknown): Violation[] =>
    JSON.stringify(has) === JSON.stringify(expected)
      ? []
      : [
          {
            kind: 'field differs',
            about: record.id,
            detail: `${field} is ${JSON.stringify(has)}, expected ${JSON.stringify(expected)}`,
          },
        ];
  const { category, tags, filename } = upload.fields;
  return [
    ...differs('checksum.sha256', record.checksum.sha256, upload.sha256),
    ...differs('bytes', record.bytes, upload.bytes),
    ...differs('category', record.category, category),
    ...differs('tags', record.tags.toSorted(), tags.toSorted()),
    ...differs('filename', record.filename, filename),
    ...(['title', 'description'] as const).flatMap((field) => {
      const possible = valuesPossible(fieldWrites(field, upload, edits, wipedAt), AT_THE_END);
      return possible.has(record[field]) ? [] : differs(field, record[field], [...possible]);
    }),
  ];
}

/** Every body of a run is unique, so one SHA-256 under two ids is one upload kept twice. */
function checkDuplicates(
  { records, assets }: RunResult,
  uploads: ReadonlyMap<string, OfKind<'upload'>>,
): Violation[] {
  const found: Violation[] = [];
  const twice = (what: string, group: readonly { id: string }[], sha256: string): void => {
    const ids = group.map(({ id }) => id);
    if (ids.length > 1) {
      const known = ids.find((id) => uploads.has(id)) ?? '';
      found.push({
        kind: 'duplicate',
        about: known,
        detail: `${what} ${ids.join(', ')} have the bytes ${sha256}`,
      });
    }
  };
  for (const [sha256, group] of groupBy(records, ({ checksum }) => checksum.sha256))
    twice('records', group, sha256);
  const files = assets.map(({ publicId, sha256 }) => ({ id: publicId, sha256 }));
  for (const [sha256, group] of groupBy(files, (file) => file.sha256)) twice('assets', group, sha256);
  return found;
}

/** Nothing is left of an upload that was answered by an error; only a wipe before its removal lets it be adopted. */
function checkRefused({ operations, records, wipedAt }: RunResult): Violation[] {
  const kept = new Map(records.map((record) => [record.checksum.sha256, record]));
  return ofKind(operations, 'upload').flatMap((upload): Violation[] => {
    const record = upload.outcome === 'fail' ? kept.get(upload.sha256) : undefined;
    if (record === undefined || wipedAt.some((at) => at > upload.invokedAt)) return [];
    return [
      { kind: 'kept though refused', about: record.id, detail: `the client was told ${upload.answer}` },
    ];
  });
}
