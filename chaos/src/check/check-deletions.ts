import { ofKind } from './by-id.js';
import type { RunResult, Violation } from './final-state.js';

/** What was deleted stays deleted. */
export function checkDeletions({ operations, records, assets, wipedAt }: RunResult): Violation[] {
  const found = new Map(records.map((record) => [record.id, record]));
  const files = new Map(assets.map((asset) => [asset.publicId.split('/').at(-1) ?? '', asset]));
  return ofKind(operations, 'delete').flatMap(({ id, outcome, invokedAt, goneAt }): Violation[] => {
    if (outcome !== 'ok') return [];
    // The declared window: host down at the delete, and Redis wiped before the retry. Once it was gone for a client, it is
    // off the host, and a record of it may come back as missing only.
    const wipedBefore = wipedAt.some((at) => at > invokedAt && at < goneAt);
    const wipedAfter = wipedAt.some((at) => at > invokedAt);
    if (wipedBefore) return [];
    const record = found.get(id);
    const back: Violation[] =
      record === undefined || (wipedAfter && record.status === 'missing')
        ? []
        : [{ kind: 'came back after its deletion', about: id, detail: `its status is ${record.status}` }];
    const left: Violation[] = files.has(id)
      ? [{ kind: 'came back after its deletion', about: id, detail: 'its asset is on the host' }]
      : [];
    return [...back, ...left];
  });
}
