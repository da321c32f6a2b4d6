import { z } from 'zod';
import { HoldfastError } from '../../errors/index.js';
import { resourceTypes } from '../../media/index.js';
import { HostFailure } from '../host-failure.js';
import type { AssetPage, HostAsset, HostFile } from '../media-host.js';
import { isReadableDate, soundDate } from './sound-date.js';

const pairs = z.record(z.string(), z.unknown());

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
  // `{custom: {…}}` in uploads and lists, possibly flat in search results.
  context: pairs.nullish(),
  placeholder: z.boolean().nullish(),
  existing: z.boolean().nullish(),
});
type AssetReply = z.infer<typeof assetReply>;

/** Enough to know that it is an asset, and which. */
const namedReply = z.object({ asset_id: z.string(), public_id: z.string() });
const placeholderReply = z.object({ placeholder: z.literal(true) });

const pageReply = z.object({
  resources: z.array(z.unknown()),
  next_cursor: z.string().nullish(),
});

const filePageReply = z.object({
  resources: z.array(assetReply.pick({ public_id: true, bytes: true, version: true, created_at: true })),
  next_cursor: z.string().nullish(),
});

const rateLimits = z.object({
  rate_limit_allowed: z.number(),
  rate_limit_remaining: z.number(),
  rate_limit_reset_at: z.date(),
});

export interface RateLimit {
  limit: number;
  remaining: number;
  resetAt: Date;
}

/** The attributes a listing must be asked for; without `fields` it lacks etag and uploaded_at. */
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
  'duration',
  'secure_url',
  'etag',
  'tags',
  'context',
  'placeholder',
] as const;

/** Throws HOST_REJECTED for an answer that is not an asset. */
export function readAsset(reply: unknown): { asset: HostAsset; existed: boolean; isBackup: boolean } {
  const parsed = parse(assetReply, reply);
  return {
    asset: toHostAsset(parsed),
    existed: parsed.existing === true,
    isBackup: parsed.placeholder === true,
  };
}

/** What of a page was not as it should be; asset ids. */
export interface PageFlaws {
  /** They have a date which is none, and are given the time of their version instead. */
  badDates: string[];
  /** They lack what every asset has, and are left out: one such must not keep a sync from all others. */
  unreadable: string[];
}

/**
 * Without assets that exist only as a backup, whatever else they lack. Throws HOST_REJECTED for an answer that is not a page of
 * assets, and HOST_CURSOR_SPENT for one that leads back to where it was asked from: it would be asked for without end.
 */
export function readPage(
  reply: unknown,
  cursor: string | null = null,
): { page: AssetPage; flaws: PageFlaws } {
  const { resources, next_cursor: next } = parse(pageReply, reply);
  const nextCursor = advancing(next ?? null, cursor);
  const assets: HostAsset[] = [];
  const flaws: PageFlaws = { badDates: [], unreadable: [] };
  for (const item of resources) {
    const { data: asset } = assetReply.safeParse(item);
    // Last, since a schema that does not fit costs ten times one that does.
    const isBackup =
      asset === undefined ? placeholderReply.safeParse(item).success : asset.placeholder === true;
    if (isBackup) continue;
    if (asset === undefined) {
      flaws.unreadable.push(parse(namedReply, item).asset_id);
      continue;
    }
    if (!datesOf(asset).every(isReadableDate)) flaws.badDates.push(asset.asset_id);
    assets.push(toHostAsset(asset));
  }
  return { page: { assets, nextCursor }, flaws };
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
    files: resources.map(({ public_id: name, bytes, version, created_at: at }) => {
      return { name, bytes, storedAt: soundDate(at, version) };
    }),
    nextCursor: advancing(nextCursor ?? null, cursor),
  };
}

/** `ok` or `not found`. */
export function readDestroyed(reply: unknown): string {
  return parse(z.object({ result: z.string() }), reply).result;
}

/** What the SDK copied from the headers of an Admin answer, or null without them. */
export function readRateLimit(reply: unknown): RateLimit | null {
  const { data } = rateLimits.safeParse(reply);
  return data === undefined || Number.isNaN(data.rate_limit_reset_at.getTime())
    ? null
    : {
        limit: data.rate_limit_allowed,
        remaining: data.rate_limit_remaining,
        resetAt: data.rate_limit_reset_at,
      };
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
    format: reply.format ?? null,
    bytes: reply.bytes,
    width: reply.width ?? null,
    height: reply.height ?? null,
    durationSeconds: reply.duration ?? null,
    url: reply.secure_url,
    etag: reply.etag ?? null,
    version: reply.version,
    createdAt: soundDate(reply.created_at, reply.version),
    uploadedAt: soundDate(reply.uploaded_at, reply.version),
    context: readContext(reply.context ?? {}),
    // Half a character cannot be stored: the Lua of the catalog would refuse the whole page for it.
    tags: (reply.tags ?? []).map((tag) => tag.toWellFormed()),
  };
}

function readContext(context: Record<string, unknown>): Record<string, string> {
  const { custom } = context;
  const source = typeof custom === 'object' && custom !== null ? custom : context;
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(source))
    if (typeof value === 'string') result[name] = value.toWellFormed();
  return result;
}

function parse<T>(schema: z.ZodType<T>, reply: unknown): T {
  const parsed = schema.safeParse(reply);
  if (parsed.success) return parsed.data;
  const paths = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
  throw new HoldfastError('HOST_REJECTED', 'the media host gave an answer that cannot be read', {
    cause: new HostFailure(`unreadable: ${paths}`, 200, null),
  });
}
