import type { Expression } from './parse-expression.js';
import { boundValue, type SearchContext } from './matcher.js';
import { searchField } from './search-fields.js';

/** Values between which a field of every match lies, both ends included. */
export interface SearchBounds {
  from: number;
  to: number;
}

/**
 * What an expression says about one field by its AND-ed ranges. Never narrower than the expression, so that
 * a walk of the index by this field may start and end there.
 */
export function searchBounds(
  expression: Expression,
  fieldName: string,
  context: SearchContext,
): SearchBounds {
  const parts = expression.kind === 'and' ? expression.parts : [expression];
  const bounds = { from: -Infinity, to: Infinity };
  const field = searchField(fieldName, context.settings);
  for (const part of parts) {
    if (part.kind !== 'range' || field === null || searchField(part.field, context.settings) !== field)
      continue;
    bounds.from = Math.max(bounds.from, boundValue(field, part.from, context) ?? -Infinity);
    bounds.to = Math.min(bounds.to, boundValue(field, part.to, context) ?? Infinity);
  }
  return bounds;
}
