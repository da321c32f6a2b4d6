import { HoldfastError } from '@holdfast/foundation/errors';
import { z } from 'zod';
import { isOwnKey, resourceTypes } from '../../media/index.js';
import { type AssetPage, type HostAsset, unreadableAnswer } from '../media-host.js';

/** Of the year 9999: records can carry no later date. */
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59);
const date = z.string().refine((text) => Date.parse(text) >= 0 && Date.parse(text) <= LAST_MS);

/** The part of an asset that every answer has, under Cloudinary's names. What it leaves out is unknown, not empty. */
const assetReply = z.object({
  asset_id: z.string(),
  public_id: z.string(),
  resource_type: z.enum(resourceTypes),
  format: z.string().nullish(),
  version: z
    .number()
    .min(0)
    .max(LAST_MS / 1_000),
  created_at: date,
  // Listings that were not asked for it do not have it.
  uploaded_at: date.nullish(),
  bytes: z.number(),
  width: z.number().nullish(),
  height: z.number().nullish(),
  duration: z.number().nullish(),
  secure_url: z.string(),
  etag: z.string().nullish(),
  tags: z.array(z.string()).nullish(),
  // Under `custom` or by itself: names and values, or a list of pairs.
  context: z.custom<object>((context) => typeof context === 'object').nullish(),
  existing: z.boolean().nullish(),
  // Of accounts with dynamic folders.
  display_name: z.string().nullish(),
});
type AssetReply = z.infer<typeof assetReply>;

const pageReply = z.object({ resources: z.array(z.unknown()), next_cursor: z.string().nullish() });

/**
 * The attributes a listing must be asked for; without `fields` it lacks etag and uploaded_at. Only documented ones: what becomes of
 * others is not known. Joined by commas: the SDK would repeat the parameter for a list, and of a repeated one the host keeps the last.
 */
export const listedFields = Object.keys(
  assetReply.omit({ duration: true, existing: true, display_name: true }).shape,
).join(',');
/** Of those, what every asset has, and what every image has besides. */
const inAll = ['resource_type', 'version', 'created_at', 'uploaded_at', 'bytes', 'secure_url', 'etag'];
const inImages = ['format', 'width', 'height'];

/** Throws HOST_REJECTED for an answer that is not an asset. */
export function readAsset(reply: unknown): { asset: HostAsset; existed: boolean; isBackup: boolean } {
  const parsed = parse(assetReply, reply);
  const { display_name: displayName } = parsed;
  return {
    // Listings are not asked for it, so only an answer about a single asset has it.
    asset: { ...toHostAsset(parsed), ...(typeof displayName === 'string' ? { displayName } : {}) },
    existed: parsed.existing === true,
    isBackup: isBackup(reply),
  };
}

/**
 * Without assets that exist only as a backup, whatever else they lack. Throws HOST_REJECTED for an answer that is not a page of assets,
 * and HOST_CURSOR_SPENT for one that leads back to where it was asked from: it would be asked for without end.
 */
export function readPage(reply: unknown, cursor: string | null = null): AssetPage {
  const { resources, next_cursor: nextCursor = null } = parse(pageReply, reply);
  if (nextCursor !== null && nextCursor === cursor)
    throw new HoldfastError('HOST_CURSOR_SPENT', 'the media host returned the same cursor again');
  const present = resources.filter((item) => !isBackup(item));
  const assets: HostAsset[] = [];
  const unreadable: AssetPage['unreadable'] = [];
  for (const item of present) {
    const { data: asset } = assetReply.safeParse(item);
    if (asset !== undefined) assets.push(toHostAsset(asset));
    else unreadable.push({ assetId: textIn(item, 'asset_id'), publicId: textIn(item, 'public_id') });
  }
  return { assets, unreadable, lacking: lackingIn(present), nextCursor };
}

/** What is left of a deleted asset whose backup is kept. No file is empty, so a size of 0 also tells. */
function isBackup(item: unknown): boolean {
  return (valueIn(item, 'placeholder') ?? valueIn(item, 'bytes') === 0) === true;
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
      : names.filter((name) => some.every((item) => (valueIn(item, name) ?? null) === null));
  const images = items.filter((item) => valueIn(item, 'resource_type') === 'image');
  return [...lackedBy(items, inAll), ...lackedBy(images, inImages)];
}

/** The folder mode that an answer about one asset tells: each has an attribute of its own for the folder. */
export function shownFolderMode(reply: unknown): 'dynamic' | 'fixed' | null {
  if (textIn(reply, 'asset_folder') !== null) return 'dynamic';
  return textIn(reply, 'folder') === null ? null : 'fixed';
}

const accountReply = z.object({ settings: z.object({ folder_mode: z.enum(['dynamic', 'fixed']) }) });

/** The folder mode in the account's settings. Throws HOST_REJECTED for an answer without it. */
export function readFolderMode(reply: unknown): 'dynamic' | 'fixed' {
  return parse(accountReply, reply).settings.folder_mode;
}

/** Throws HOST_REJECTED for any other answer to a removal. */
export function readDestroyed(reply: unknown): 'removed' | 'absent' {
  const result = textIn(reply, 'result');
  if (result === 'ok') return 'removed';
  if (result === 'not found') return 'absent';
  throw unreadableAnswer(`the media host answered a removal with: ${result ?? 'no result'}`);
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
    createdAt: reply.created_at,
    // A version is the time of the last upload. As the host writes times: without milliseconds.
    uploadedAt: reply.uploaded_at ?? `${new Date(reply.version * 1_000).toISOString().slice(0, 19)}Z`,
    // An asset without tags or context has no such key in the answers that were asked for them.
    context: readContext(reply.context ?? {}),
    // Half a character cannot be stored: the Lua of the catalog would refuse the whole page for it.
    tags: (reply.tags ?? []).map((tag) => tag.toWellFormed()),
  };
}

function readContext(context: object): Record<string, string> {
  const custom = valueIn(context, 'custom');
  const source = typeof custom === 'object' && custom !== null ? custom : context;
  const pairs: readonly (readonly [string | null, unknown])[] = Array.isArray(source)
    ? source.map((pair) => [textIn(pair, 'key'), valueIn(pair, 'value')])
    : Object.entries(source);
  const result: Record<string, string> = {};
  for (const [name, value] of pairs) {
    if (name === null || value === null || value === undefined) continue;
    // An empty key of ours says what a missing one says, see `annotate`. Those of others are kept.
    if (value === '' && isOwnKey(name)) continue;
    // A write replaces the whole context, so a value that is not a text must survive as the text that stands for it.
    result[name] = (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed();
  }
  return result;
}

function parse<T>(schema: z.ZodType<T>, reply: unknown): T {
  const parsed = schema.safeParse(reply);
  if (parsed.success) return parsed.data;
  const paths = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
  throw unreadableAnswer('the media host gave an answer that cannot be read', `unreadable: ${paths}`);
}
