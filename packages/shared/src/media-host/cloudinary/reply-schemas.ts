import { z } from 'zod';
import { HoldfastError } from '../../errors/index.js';
import { resourceTypes } from '../../media/index.js';
import { HostFailure } from '../host-failure.js';
import type { AssetPage, HostAsset, HostFile } from '../media-host.js';

const pairs = z.record(z.string(), z.unknown());

/** What of an asset every answer has, under Cloudinary's names. */
const assetReply = z.object({
  asset_id: z.string(),
  public_id: z.string(),
  resource_type: z.enum(resourceTypes),
  format: z.string().nullish(),
  version: z.number(),
  created_at: z.string(),
  uploaded_at: z.string().nullish(),
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

const pageReply = z.object({
  resources: z.array(z.unknown()),
  next_cursor: z.string().nullish(),
});

const filePageReply = z.object({
  resources: z.array(z.object({ public_id: z.string(), bytes: z.number(), created_at: z.string() })),
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
export function readAsset(reply: unknown): { asset: HostAsset; existed: boolean } {
  const parsed = parse(assetReply, reply);
  return { asset: toHostAsset(parsed), existed: parsed.existing === true };
}

/** Without assets that exist only as a backup. Throws HOST_REJECTED for an answer that is not a page. */
export function readPage(reply: unknown): AssetPage {
  const page = parse(pageReply, reply);
  const assets: HostAsset[] = [];
  for (const item of page.resources) {
    const parsed = parse(assetReply, item);
    if (parsed.placeholder !== true) assets.push(toHostAsset(parsed));
  }
  return { assets, nextCursor: page.next_cursor ?? null };
}

export interface FilePage {
  files: HostFile[];
  nextCursor: string | null;
}

/** Names, sizes and times. Throws HOST_REJECTED for an answer that is not a page. */
export function readFilePage(reply: unknown): FilePage {
  const { resources, next_cursor: nextCursor } = parse(filePageReply, reply);
  return {
    files: resources.map(({ public_id: name, bytes, created_at: storedAt }) => ({ name, bytes, storedAt })),
    nextCursor: nextCursor ?? null,
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
    createdAt: reply.created_at,
    // The version is the time of the last upload in unix seconds.
    uploadedAt: reply.uploaded_at ?? isoSeconds(reply.version),
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

/** As the host writes times: without milliseconds. */
function isoSeconds(seconds: number): string {
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19)}Z`;
}
