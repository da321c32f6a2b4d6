import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ResourceType } from './asset.js';
import { textTemplate, type TemplateValues } from './text-template.js';

/**
 * What synthetic assets look like. Texts may hold `{n}`, `{n:8}` (zero-padded), `{ulid}`, `{assetId}`,
 * `{md5}`, `{sha256}`, `{bytes}`, `{createdAt}` (ISO) and `{createdMs}`.
 */
export const seedTemplateSchema = z.strictObject({
  resourceType: z.enum(['image', 'video', 'raw']).optional(),
  type: z.string().optional(),
  /** Must hold `{n}` or `{ulid}` to be unique. Default `seed/{n:8}`. */
  publicId: z.string().optional(),
  format: z.string().nullable().optional(),
  /** Size of each; up to 4096 the content is real, beyond it only its size and a made-up MD5 are. */
  bytes: z.int().min(1).optional(),
  width: z.int().optional(),
  height: z.int().optional(),
  /** Seconds, of videos. Default 10. */
  duration: z.number().optional(),
  tags: z.array(z.string()).optional(),
  context: z.record(z.string(), z.string()).optional(),
  /** Unix seconds of the first one. Default: such that the last one is an hour old. */
  createdAt: z.int().optional(),
  /** Assets created in each second. Default 10. */
  perSecond: z.int().min(1).optional(),
  /** Number of the first one. Default 0. */
  first: z.int().min(0).optional(),
});

export type SeedTemplate = z.infer<typeof seedTemplateSchema>;

/** A compiled template: every value of asset `n` by arithmetic, nothing stored. */
export interface SeedBlock {
  resourceType: ResourceType;
  type: string;
  format: string | null;
  bytes: number;
  width: number | null;
  height: number | null;
  duration: number | null;
  publicId(n: number): string;
  assetId(n: number): string;
  etag(n: number): string;
  createdAt(n: number): number;
  tags(n: number): string[];
  context(n: number): Record<string, string>;
  /** Null beyond the size up to which content is real. */
  content(n: number): Buffer | null;
}

const REAL_CONTENT_BYTES = 4096;
const defaultFormats: Record<ResourceType, string | null> = { image: 'jpg', video: 'mp4', raw: null };

/** Compiles a template. `salt` tells the blocks of one emulator apart: equal salt, equal ids. */
export function seedBlock(template: SeedTemplate & { createdAt: number }, salt: number): SeedBlock {
  const { resourceType = 'image', bytes = 64, perSecond = 10, context = {}, first = 0 } = template;
  const createdAt = (n: number) => template.createdAt + Math.floor((n - first) / perSecond);
  const createdMs = (n: number) => template.createdAt * 1000 + Math.floor(((n - first) * 1000) / perSecond);
  const assetId = (n: number) => mixedHex(salt, n, 32);
  const content = (n: number) =>
    bytes > REAL_CONTENT_BYTES ? null : Buffer.alloc(bytes, `synthetic asset ${salt}.${n}\n`);
  const digest = (algorithm: string, chars: number) => (n: number) => {
    const real = content(n);
    return real === null ? mixedHex(salt + 1, n, chars) : createHash(algorithm).update(real).digest('hex');
  };
  const etag = digest('md5', 32);
  const values: TemplateValues = {
    n: String,
    ulid: (n) => ulid(createdMs(n), n),
    assetId,
    md5: etag,
    sha256: digest('sha256', 64),
    bytes: () => String(bytes),
    createdAt: (n) => new Date(createdMs(n)).toISOString(),
    createdMs: (n) => String(createdMs(n)),
  };
  const publicId = textTemplate(template.publicId ?? 'seed/{n:8}', values);
  const tags = (template.tags ?? []).map((tag) => textTemplate(tag, values));
  const pairs = Object.entries(context).map(([key, text]) => [key, textTemplate(text, values)] as const);
  return {
    resourceType,
    type: template.type ?? 'upload',
    format: template.format === undefined ? defaultFormats[resourceType] : template.format,
    bytes,
    width: template.width ?? (resourceType === 'raw' ? null : 640),
    height: template.height ?? (resourceType === 'raw' ? null : 480),
    duration: resourceType === 'video' ? (template.duration ?? 10) : null,
    publicId,
    assetId,
    etag,
    createdAt,
    tags: (n) => tags.map((tag) => tag(n)),
    context: (n) => Object.fromEntries(pairs.map(([key, text]) => [key, text(n)])),
    content,
  };
}

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A valid ULID that rises with time and number. */
function ulid(ms: number, n: number): string {
  let time = '';
  for (let rest = ms, place = 0; place < 10; place += 1, rest = Math.floor(rest / 32)) {
    time = (ALPHABET[rest % 32] as string) + time;
  }
  let number = '';
  for (let rest = n, place = 0; place < 16; place += 1, rest = Math.floor(rest / 32)) {
    number = (ALPHABET[rest % 32] as string) + number;
  }
  return time + number;
}

/** Hex digits that look random and are different for every `n`: 32 bits a lane, mixed without loss. */
function mixedHex(salt: number, n: number, chars: number): string {
  let hex = '';
  for (let lane = 1; hex.length < chars; lane += 1) {
    let x = (n ^ Math.imul(lane, 0x9e3779b1) ^ Math.imul(salt + 1, 0x85ebca77 + 2 * lane)) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
    hex += ((x ^ (x >>> 16)) >>> 0).toString(16).padStart(8, '0');
  }
  return hex;
}
