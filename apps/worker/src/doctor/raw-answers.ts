/** An object of an answer; an empty one where there is none. */
export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** The items of a page. */
export function itemsOf(reply: unknown): Record<string, unknown>[] {
  const { resources } = asRecord(reply);
  return Array.isArray(resources) ? resources.map(asRecord) : [];
}

/** How an answer shows the context of an asset. */
export function contextShape(item: Record<string, unknown>): 'nested' | 'flat pairs' | 'a list' | 'nothing' {
  const { context } = item;
  if (Array.isArray(context)) return 'a list';
  if (typeof context !== 'object' || context === null) return 'nothing';
  const { custom } = asRecord(context);
  if (Array.isArray(custom)) return 'a list';
  return typeof custom === 'object' && custom !== null ? 'nested' : 'flat pairs';
}

/** The pairs, whatever their shape. */
export function contextOf(item: Record<string, unknown>): Record<string, unknown> {
  const { context } = item;
  const pairs = asRecord(context)['custom'] ?? context;
  if (!Array.isArray(pairs)) return asRecord(pairs);
  return Object.fromEntries(pairs.map(asRecord).map(({ key, value }) => [String(key), value]));
}

export function tagsOf(item: Record<string, unknown>): string[] {
  const { tags } = item;
  return Array.isArray(tags) ? tags.map(String) : [];
}
