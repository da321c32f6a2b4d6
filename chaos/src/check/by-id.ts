import type { Operation } from '../history.js';

export type OfKind<K extends Operation['kind']> = Extract<Operation, { kind: K }>;

export function ofKind<K extends Operation['kind']>(operations: readonly Operation[], kind: K): OfKind<K>[] {
  return operations.filter((operation): operation is OfKind<K> => operation.kind === kind);
}

/** The items under what `keyOf` says of them, each group in the order of the items; those without a key are left out. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string | null): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === null) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** Acknowledged uploads by the id they were given. */
export function acknowledged(operations: readonly Operation[]): Map<string, OfKind<'upload'>> {
  return new Map(
    ofKind(operations, 'upload').flatMap((upload) =>
      upload.outcome === 'ok' && upload.id !== null ? [[upload.id, upload] as const] : [],
    ),
  );
}
