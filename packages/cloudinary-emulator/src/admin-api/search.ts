import { z } from 'zod';
import { ApiError } from '../api-error.js';
import type { Asset } from '../assets/asset.js';
import { knownFields, pickedJson, searchJson, type AssetJson } from '../assets/asset-json.js';
import { assetOrder, type SortValue } from '../assets/asset-order.js';
import { assetPage, type PageQuery } from '../assets/asset-page.js';
import type { SortedList } from '../assets/sorted-list.js';
import type { Call, Reply } from '../http/route.js';
import { nowSeconds, type Parts } from '../parts.js';
import { matcher, type SearchContext } from '../search/matcher.js';
import { parseExpression, type Expression } from '../search/parse-expression.js';
import { searchBounds } from '../search/search-bounds.js';
import { searchField } from '../search/search-fields.js';
import { makeCursor, readCursor } from './cursor.js';
import { shownAt } from './listing-share.js';

type SearchParts = Pick<Parts, 'account' | 'search' | 'settings' | 'now'>;

const bodySchema = z.object({
  expression: z.string().default(''),
  sort_by: z.array(z.record(z.string(), z.enum(['asc', 'desc']))).default([]),
  max_results: z.coerce.number().int().min(1).default(50),
  next_cursor: z.string().default(''),
  with_field: z.union([z.string().transform((name) => [name]), z.array(z.string())]).default([]),
  fields: z.union([z.string().transform((name) => [name]), z.array(z.string())]).default([]),
});
type SearchBody = z.infer<typeof bodySchema>;

/** POST /resources/search: by an expression, over all resource types at once. */
export function search(call: Call, parts: SearchParts): Reply {
  const parsed = bodySchema.safeParse(call.json ?? {});
  if (!parsed.success)
    throw new ApiError(400, `Invalid value for parameter ${parsed.error.issues[0]?.path.join('.') ?? ''}`);
  const body = parsed.data;
  const startedAt = performance.now();
  const context = { settings: parts.settings, nowSeconds: nowSeconds(parts) };
  const expression = parseExpression(body.expression);
  const { order, view, range } = walkOf(body, expression, parts, context);
  const matches = matcher(expression, context);

  const query = JSON.stringify([body.expression, body.sort_by]);
  const cursor = readCursor(body.next_cursor, query);
  const total = cursor?.total ?? countMatches(view, range, expression.kind === 'everything' ? null : matches);
  const { items, more } = assetPage(view, {
    ...range,
    order,
    matches,
    after: cursor?.key,
    limit: Math.min(body.max_results, 500),
  });
  const last = items.at(-1);
  const shown = items.filter(shownAt(call.listingShare));
  return {
    total_count: Math.round(total * call.listingShare),
    time: Math.round(performance.now() - startedAt),
    resources: shown.map(itemJson(body, parts)),
    ...(more && last !== undefined && call.listingShare > 0
      ? { next_cursor: makeCursor(query, { key: order.keyOf(last), total }) }
      : {}),
  };
}

type Range = Pick<PageQuery, 'isBefore' | 'within'>;

/** The ordered view to walk, and the part of it where matches can be. */
function walkOf(body: SearchBody, expression: Expression, parts: SearchParts, context: SearchContext) {
  const asked = body.sort_by.flatMap((entry) => Object.entries(entry));
  const sort = asked.length > 0 ? asked : [['created_at', 'desc'] as const];
  const order = assetOrder(
    sort.map(([name, direction]) => ({ value: sortValue(name, parts), descending: direction === 'desc' })),
  );
  const view = parts.search.view({
    name: JSON.stringify(sort),
    includes: () => true,
    compare: order.compare,
  });
  const [name, direction] = sort[0] as readonly [string, string];
  const { from, to } = searchBounds(expression, name, context);
  const value = sortValue(name, parts);
  const range: Range =
    direction === 'desc'
      ? { isBefore: (asset) => Number(value(asset)) > to, within: (asset) => Number(value(asset)) >= from }
      : { isBefore: (asset) => Number(value(asset)) < from, within: (asset) => Number(value(asset)) <= to };
  return { order, view, range: from === -Infinity && to === Infinity ? {} : range };
}

function sortValue(name: string, { settings }: SearchParts): SortValue {
  const field = searchField(name, settings);
  if (field === null || field.kind === 'list') throw new ApiError(400, `Invalid sort field ${name}`);
  const missing = field.kind === 'text' ? '' : 0;
  return (asset) => field.value(asset) ?? missing;
}

function countMatches(
  view: SortedList<Asset>,
  range: Range,
  matches: ((asset: Asset) => boolean) | null,
): number {
  if (matches === null) return view.length;
  let count = 0;
  for (const asset of view.from(range.isBefore ?? (() => false))) {
    if (range.within !== undefined && !range.within(asset)) break;
    if (matches(asset)) count += 1;
  }
  return count;
}

function itemJson(body: SearchBody, { account, settings }: SearchParts): (asset: Asset) => AssetJson {
  if (body.fields.length > 0) {
    const names = knownFields(body.fields, settings);
    return (asset) => pickedJson(asset, account, settings, names, 'search');
  }
  const wanted = new Set(body.with_field);
  const extra = {
    tags: wanted.has('tags'),
    context: wanted.has('context'),
    metadata: wanted.has('metadata'),
  };
  return (asset) => searchJson(asset, account, settings, extra);
}
