import { z } from 'zod';
import { HoldfastError } from '@holdfast/foundation/errors';
import { isOwnKey, resourceTypes } from '../../media/index.js';
import { HostFailure } from '../failures.js';
import type { AssetPage, HostAsset, HostFile, UnreadableAsset } from '../media-host.js';

/** Under `custom` or by itself: names and values, or a list of pairs. */
const contextReply = z.union([
  z.record(z.string(), z.unknown()),
  z.array(z.object({ key: z.string(), value: z.unknown() })),
]);

/** What of an asset every answer has, under Cloudinary's names. */
const assetReply = z.object({
  asset_id: z.string(),
  public_id: z.string(),
  resource_type: z.enum(resourceTypes),
  format: z.string().nullish(),
  version: z.number(),
  // Whatever stands there, see `soundDate`.
  created_at: z.unknown().optional(),
  uploaded_at: z.unknown().optional(),
  bytes: z.number(),
  width: z.number().nullish(),
  height: z.number().nullish(),
  duration: z.number().nullish(),
  secure_url: z.string(),
  etag: z.string().nullish(),
  tags: z.array(z.string()).nullish(),
  context: contextReply.nullish(),
  placeholder: z.boolean().nullish(),
  existing: z.boolean().nullish(),
  // Of accounts with dynamic folders.
  display_name: z.string().nullish(),
});
type AssetReply = z.infer<typeof assetReply>;

/** What is left of a deleted asset whose backup is kept. No file is empty, so a size of 0 also tells. */
const backupReply = z.union([
  z.object({ placeholder: z.literal(true) }),
  z.object({ bytes: z.literal(0), placeholder: z.null().optional() }),
]);

const pageReply = z.object({
  resources: z.array(z.unknown()),
  next_cursor: z.string().nullish(),
});

const filePageReply = z.object({
  resources: z.array(
    assetReply.pick({ public_id: true, bytes: true, version: true, created_at: true, placeholder: true }),
  ),
  next_cursor: z.string().nullish(),
});

/**
 * The attributes a listing must be asked for; without `fields` it lacks etag and uploaded_at. Only documented ones: what becomes of
 * others is not known. Neither `duration` nor `placeholder` is.
 */
export const listedFields = [
  'asset_id',
  'public_id',
  'resource_type',
  'format',
  'version',
  'created_at',
  'uploaded_at',
  'bytes',
  'width',
  'height',
  'secure_url',
  'etag',
  'tags',
  'context',
] as const;

/** Those that every asset has, and those that every image has besides. */
const inAll = [
  'resource_type',
  'version',
  'created_at',
  'uploaded_at',
  'bytes',
  'secure_url',
  'etag',
] as const;
const inImages = ['format', 'width', 'height'] as const;

/** Throws HOST_REJECTED for an answer that is not an asset. */
export function readAsset(reply: unknown): { asset: HostAsset; existed: boolean; isBackup: boolean } {
  const parsed = parse(assetReply, reply);
  const { display_name: displayName } = parsed;
  return {
    // Listings are not asked for it, so only an answer about a single asset has it.
    asset: { ...toHostAsset(parsed), ...(typeof displayName === 'string' ? { displayName } : {}) },
    existed: parsed.existing === true,
    isBackup: isBackup(parsed),
  };
}

/**
 * Without assets that exist only as a backup, whatever else they lack. `badDates` are the asset ids of those with a date which is
 * none: they are given the time of their version instead. Throws HOST_REJECTED for an answer that is not a page of assets, and
 * HOST_CURSOR_SPENT for one that leads back to where it was asked from: it would be asked for without end.
 */
export function readPage(
  reply: unknown,
  cursor: string | null = null,
): { page: AssetPage; badDates: string[] } {
  const { resources, next_cursor: next } = parse(pageReply, reply);
  const nextCursor = advancing(next ?? null, cursor);
  const assets: HostAsset[] = [];
  const unreadable: UnreadableAsset[] = [];
  const badDates: string[] = [];
  const present: unknown[] = [];
  for (const item of resources) {
    const { data: asset } = assetReply.safeParse(item);
    // Last, since a schema that does not fit costs ten times one that does.
    if (asset === undefined ? backupReply.safeParse(item).success : isBackup(asset)) continue;
    present.push(item);
    if (asset === undefined) {
      unreadable.push({ assetId: textIn(item, 'asset_id'), publicId: textIn(item, 'public_id') });
      continue;
    }
    if (!datesOf(asset).every(isReadableDate)) badDates.push(asset.asset_id);
    assets.push(toHostAsset(asset));
  }
  return { page: { assets, unreadable, lacking: lackingIn(present), nextCursor }, badDates };
}

function isBackup({ placeholder, bytes }: Pick<AssetReply, 'placeholder' | 'bytes'>): boolean {
  return placeholder ?? bytes === 0;
}

function textIn(item: unknown, name: string): string | null {
  const value = valueIn(item, name);
  return typeof value === 'string' ? value : null;
}

function valueIn(item: unknown, name: string): unknown {
  return typeof item === 'object' && item !== null ? (item as Record<string, unknown>)[name] : undefined;
}

/**
 * Tags, context and what only some assets have do not count: none of these may have any. Nor does a single asset, which may be an odd
 * one: an old one, or an image that has no size.
 */
function lackingIn(items: readonly unknown[]): string[] {
  const lackedBy = (some: readonly unknown[], names: readonly string[]): string[] =>
    some.length < 2
      ? []
      : names.filter((name) => !some.some((item) => (valueIn(item, name) ?? null) !== null));
  const images = items.filter((item) => valueIn(item, 'resource_type') === 'image');
  return [...lackedBy(items, inAll), ...lackedBy(images, inImages)];
}

function advancing(next: string | null, cursor: string | null): string | null {
  if (next === null || next !== cursor) return next;
  throw new HoldfastError('HOST_CURSOR_SPENT', 'the media host gave the cursor again that it was asked with');
}

export interface FilePage {
  files: HostFile[];
  nextCursor: string | null;
}

/** Names, sizes and times. Throws as `readPage` does. */
export function readFilePage(reply: unknown, cursor: string | null = null): FilePage {
  const { resources, next_cursor: nextCursor } = parse(filePageReply, reply);
  return {
    files: resources
      .filter((file) => !isBackup(file))
      .map(({ public_id: name, bytes, version, created_at: at }) => {
        return { name, bytes, storedAt: soundDate(at, version) };
      }),
    nextCursor: advancing(nextCursor ?? null, cursor),
  };
}

const dynamicReply = z.object({ asset_folder: z.string() });
const fixedReply = z.object({ folder: z.string() });

/** The folder mode that an answer about one asset tells: each has an attribute of its own for the folder. */
export function shownFolderMode(reply: unknown): 'dynamic' | 'fixed' | null {
  if (dynamicReply.safeParse(reply).success) return 'dynamic';
  return fixedReply.safeParse(reply).success ? 'fixed' : null;
}

/** The folder mode in the account's settings. Throws HOST_REJECTED for an answer without it. */
export function readFolderMode(reply: unknown): 'dynamic' | 'fixed' {
  return parse(z.object({ settings: z.object({ folder_mode: z.enum(['dynamic', 'fixed']) }) }), reply)
    .settings.folder_mode;
}

/** `ok` or `not found`. */
export function readDestroyed(reply: unknown): string {
  return parse(z.object({ result: z.string() }), reply).result;
}

/** Listings that were not asked for it do not tell the time of the last upload. */
function datesOf({ created_at: created, uploaded_at: uploaded }: AssetReply): unknown[] {
  return uploaded === null || uploaded === undefined ? [created] : [created, uploaded];
}

function toHostAsset(reply: AssetReply): HostAsset {
  return {
    publicId: reply.public_id,
    resourceType: reply.resource_type,
    assetId: reply.asset_id,
    format: reply.format,
    bytes: reply.bytes,
    width: reply.width,
    height: reply.height,
    durationSeconds: reply.duration,
    url: reply.secure_url,
    etag: reply.etag ?? null,
    version: reply.version,
    createdAt: soundDate(reply.created_at, reply.version),
    uploadedAt: soundDate(reply.uploaded_at, reply.version),
    // An asset without tags or context has no such key in the answers that were asked for them.
    context: readContext(reply.context ?? {}),
    // Half a character cannot be stored: the Lua of the catalog would refuse the whole page for it.
    tags: (reply.tags ?? []).map((tag) => tag.toWellFormed()),
  };
}

function readContext(context: z.infer<typeof contextReply>): Record<string, string> {
  const custom = valueIn(context, 'custom');
  const source = typeof custom === 'object' && custom !== null ? custom : context;
  const result: Record<string, string> = {};
  for (const [name, value] of Array.isArray(source) ? pairsIn(source) : Object.entries(source)) {
    if (value === null || value === undefined) continue;
    // An empty key of ours says what a missing one says, see `annotate`. Those of others are kept.
    if (value === '' && isOwnKey(name)) continue;
    // A write replaces the whole context, so what is no text must survive as the text that stands for it.
    result[name] = (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed();
  }
  return result;
}

function pairsIn(list: readonly unknown[]): [string, unknown][] {
  return list.flatMap((pair) => {
    const key = textIn(pair, 'key');
    return key === null ? [] : [[key, valueIn(pair, 'value')] as [string, unknown]];
  });
}

function parse<T>(schema: z.ZodType<T>, reply: unknown): T {
  const parsed = schema.safeParse(reply);
  if (parsed.success) return parsed.data;
  const paths = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
  throw new HoldfastError('HOST_REJECTED', 'the media host gave an answer that cannot be read', {
    cause: new HostFailure(`unreadable: ${paths}`, 200, null),
  });
}

/** Of the year 9999: later times have no date that a record can carry. In unix seconds, as the host counts versions. */
const LAST_SECOND = Date.UTC(9999, 11, 31, 23, 59, 59) / 1_000;

/** Whether records can carry it. */
function isReadableDate(text: unknown): text is string {
  if (typeof text !== 'string') return false;
  const seconds = Date.parse(text) / 1_000;
  return seconds >= 0 && seconds <= LAST_SECOND;
}

/**
 * A date of the host, or where it is none the time of its version, which is that of the last upload in unix seconds: one
 * garbled date must not keep a sync from all other assets, nor make a media look missing. A version that is no time either
 * counts as the nearest one.
 */
function soundDate(text: unknown, version: number): string {
  return isReadableDate(text) ? text : isoSeconds(version);
}

/** As the host writes times: without milliseconds. */
function isoSeconds(seconds: number): string {
  const sound = Math.min(Math.max(seconds, 0), LAST_SECOND);
  return `${new Date(sound * 1_000).toISOString().slice(0, 19)}Z`;
}
