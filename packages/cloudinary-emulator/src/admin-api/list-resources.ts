import { ApiError } from '../api-error.js';
import type { Asset } from '../assets/asset.js';
import { knownFields, listJson, pickedJson, type AssetJson } from '../assets/asset-json.js';
import { assetOrder } from '../assets/asset-order.js';
import { assetPage, type PageQuery } from '../assets/asset-page.js';
import type { SortedList } from '../assets/sorted-list.js';
import { fieldFlag, fieldList, fieldText, type Fields } from '../http/fields.js';
import type { Call, Reply } from '../http/route.js';
import type { Parts } from '../parts.js';
import { makeCursor, readCursor } from './cursor.js';
import { shownAt } from './listing-share.js';

export type ListParts = Pick<Parts, 'account' | 'assets' | 'settings'>;

const byCreation = assetOrder([{ value: (asset) => asset.createdAt }]);
const byPublicId = assetOrder([{ value: (asset) => asset.publicId }]);

/** GET /resources/:rt[/:type]: by creation, newest first unless asked otherwise; with a prefix by public id. */
export function listResources(call: Call, parts: ListParts): Reply {
  const { fields } = call;
  if (fieldList(fields, 'public_ids').length > 0) return listByPublicIds(call, parts);
  const prefix = fieldText(fields, 'prefix');
  if (prefix !== '') {
    const view = parts.assets.view({
      ...typeView(call),
      name: `id|${typeView(call).name}`,
      compare: byPublicId.compare,
    });
    return pageReply(call, parts, view, {
      order: byPublicId,
      isBefore: (asset) => asset.publicId < prefix,
      within: (asset) => asset.publicId.startsWith(prefix),
    });
  }
  return listByCreation(call, parts, typeView(call));
}

/** GET /resources/:rt/tags/:tag */
export function listByTag(call: Call, parts: ListParts): Reply {
  const tag = call.path['tag'] ?? '';
  return listByCreation(call, parts, {
    name: `tag ${tag}|${typeView(call).name}`,
    includes: (asset) => asset.resourceType === call.path['rt'] && asset.tags.includes(tag),
  });
}

/** GET /resources/:rt/context?key=&value= */
export function listByContext(call: Call, parts: ListParts): Reply {
  const key = fieldText(call.fields, 'key');
  const value = fieldText(call.fields, 'value');
  if (key === '') throw new ApiError(400, 'Missing required parameter - key');
  return listByCreation(call, parts, {
    name: `context ${JSON.stringify([key, value])}|${typeView(call).name}`,
    includes: (asset) =>
      asset.resourceType === call.path['rt'] &&
      Object.hasOwn(asset.context, key) &&
      (value === '' || asset.context[key] === value),
  });
}

/** GET /resources/by_asset_folder?asset_folder= */
export function listByAssetFolder(call: Call, parts: ListParts): Reply {
  const folder = fieldText(call.fields, 'asset_folder');
  return listByCreation(call, parts, {
    name: `folder ${folder}`,
    includes: (asset) => asset.assetFolder === folder,
  });
}

/** How an item of a listing looks for these parameters. */
export function itemJson(fields: Fields, { account, settings }: ListParts): (asset: Asset) => AssetJson {
  const wanted = fieldText(fields, 'fields');
  if (wanted !== '') {
    const names = knownFields(wanted.split(','), settings);
    return (asset) => pickedJson(asset, account, settings, names, 'list');
  }
  const extra = {
    tags: fieldFlag(fields, 'tags', false),
    context: fieldFlag(fields, 'context', false),
    metadata: fieldFlag(fields, 'metadata', false),
  };
  return (asset) => listJson(asset, account, settings, extra);
}

interface Membership {
  name: string;
  includes(asset: Asset): boolean;
}

function typeView(call: Call): Membership {
  const { rt = '', type } = call.path;
  return {
    name: `${rt}|${type ?? ''}`,
    includes: (asset) => asset.resourceType === rt && (type === undefined || asset.type === type),
  };
}

function listByCreation(call: Call, parts: ListParts, members: Membership): Reply {
  const startAt = fieldText(call.fields, 'start_at');
  const since = startAt === '' ? null : Date.parse(startAt) / 1000;
  if (since !== null && Number.isNaN(since))
    throw new ApiError(400, `Invalid value ${startAt} for parameter start_at`);
  const view = parts.assets.view({
    ...members,
    name: `created|${members.name}`,
    compare: byCreation.compare,
  });
  return pageReply(call, parts, view, {
    order: byCreation,
    backwards: !['asc', '1'].includes(fieldText(call.fields, 'direction').toLowerCase()),
    ...(since === null ? {} : { isBefore: (asset: Asset) => asset.createdAt < since }),
  });
}

function pageReply(
  call: Call,
  parts: ListParts,
  view: SortedList<Asset>,
  how: Omit<PageQuery, 'limit'>,
): Reply {
  const { fields } = call;
  const query = JSON.stringify([
    call.path,
    ...['prefix', 'direction', 'start_at', 'key', 'value', 'asset_folder'].map((name) =>
      fieldText(fields, name),
    ),
  ]);
  const cursor = readCursor(fieldText(fields, 'next_cursor'), query);
  const { items, more } = assetPage(view, { ...how, after: cursor?.key, limit: pageSize(fields, 10) });
  const last = items.at(-1);
  return {
    resources: items.filter(shownAt(call.listingShare)).map(itemJson(fields, parts)),
    ...(more && last !== undefined && call.listingShare > 0
      ? { next_cursor: makeCursor(query, { key: how.order.keyOf(last) }) }
      : {}),
  };
}

function listByPublicIds(call: Call, parts: ListParts): Reply {
  const publicIds = fieldList(call.fields, 'public_ids');
  if (publicIds.length > 100) throw new ApiError(400, 'Too many public_ids (maximum is 100)');
  const found = publicIds.flatMap((publicId) => {
    const { rt, type = 'upload' } = call.path;
    return parts.assets.get(rt as Asset['resourceType'], type, publicId) ?? [];
  });
  return { resources: found.filter(shownAt(call.listingShare)).map(itemJson(call.fields, parts)) };
}

/** `max_results` within its bounds; the API's own upper bound is 500. */
function pageSize(fields: Fields, fallback: number): number {
  const text = fieldText(fields, 'max_results');
  const asked = text === '' ? fallback : Number(text);
  if (!Number.isInteger(asked) || asked < 1)
    throw new ApiError(400, `Invalid value ${text} for parameter max_results`);
  return Math.min(asked, 500);
}
