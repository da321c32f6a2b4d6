import { z } from 'zod';
import { durabilityLevels } from '@holdfast/foundation/config';

/** Cloudinary's three kinds of resource; audio counts as video. */
export const resourceTypes = ['image', 'video', 'raw'] as const;
/** Public ids are unique within one type only, so it belongs to the name of an asset. */
export type ResourceType = (typeof resourceTypes)[number];

/** States of a record; `docs/states.md` draws the moves between them. */
export const mediaStatuses = ['saving', 'verified', 'deferred', 'failed', 'missing', 'deleting'] as const;
/** `deferred` is never stored: the API says it of uploads that it holds in memory while Redis is away. */
export type MediaStatus = (typeof mediaStatuses)[number];

/** How the record first came into the catalog. */
export const mediaSources = ['upload', 'direct', 'sync', 'webhook'] as const;
/** upload: sent through us; direct: with a ticket; sync, webhook: found on the host, by the first of them. */
export type MediaSource = (typeof mediaSources)[number];

const isoDate = z.iso.datetime();

/** One file as the catalog keeps it. Times are ISO 8601 in UTC with milliseconds. */
export const mediaRecord = z.object({
  /** ULID for media uploaded here, `cld-<asset id>` for assets found on the host. */
  id: z.string().regex(/^[0-9A-Za-z-]{1,80}$/),
  status: z.enum(mediaStatuses),
  publicId: z.string(),
  assetId: z.string(),
  resourceType: z.enum(resourceTypes),
  format: z.string().nullable(),
  bytes: z.number(),
  width: z.number().nullable(),
  height: z.number().nullable(),
  durationSeconds: z.number().nullable(),
  /** Absolute on Cloudinary; on the local host a path below the API's own address. */
  url: z.string(),
  /** Hex. Without a SHA-256 where the bytes did not come through us; the MD5 is then what the host reports. */
  checksum: z.object({ sha256: z.string().nullable(), md5: z.string().nullable() }),
  filename: z.string(),
  title: z.string(),
  description: z.string(),
  category: z.string(),
  tags: z.array(z.string()),
  /** Name of the API key, `anonymous` where there are none; empty for assets that others put on the host. */
  uploadedBy: z.string(),
  source: z.enum(mediaSources),
  createdAt: isoDate,
  updatedAt: isoDate,
  /** Grows by one with each change of what clients may edit; an older one never replaces a newer one. */
  revision: z.number().int().min(1),
  persistence: z.object({
    level: z.enum(durabilityLevels).nullable(),
    verifiedAt: isoDate.nullable(),
    attempts: z.number().int(),
  }),
  lastError: z.object({ code: z.string(), message: z.string(), at: isoDate }).nullable(),
  /** The host's version of the bytes; grows when they are overwritten there. */
  hostVersion: z.number().int(),
  /** The last revision that the host is known to carry; below `revision` while an edit waits to be pushed. */
  pushedRevision: z.number().int(),
});

/** What `mediaRecord` accepts. It is checked where a job brings it, not where it is read from the catalog. */
export type MediaRecord = z.infer<typeof mediaRecord>;

/** What is measured again after a rebuild, and so never compared or carried by the host. */
export type Measured = Pick<MediaRecord, 'status' | 'persistence' | 'lastError'>;

/** How every record begins: nothing is proven. Shared by all of them, so it is copied and never changed. */
export const unmeasured: Measured = {
  status: 'saving',
  persistence: { level: null, verifiedAt: null, attempts: 0 },
  lastError: null,
};

/** True for an edit that the host does not carry yet: a wiped Redis may lose it. */
export function isUnpushed(record: MediaRecord): boolean {
  return record.pushedRevision < record.revision;
}

/** The record with these edits, one revision later. Clocks may differ; an edit never makes a record older. */
export function withEdits(record: MediaRecord, edits: Partial<MediaRecord>): MediaRecord {
  const updatedAt = new Date(Math.max(Date.now(), Date.parse(record.updatedAt))).toISOString();
  return { ...record, ...edits, updatedAt, revision: record.revision + 1 };
}

/** Limits of the fields that clients set, in characters (Unicode code points). */
export const mediaLimits = {
  title: 500,
  description: 5_000,
  category: 100,
  tag: 100,
  tags: 50,
  filename: 255,
} as const;

/** Slower transfers are given up; deadlines of whole transfers follow from it. */
export const SLOWEST_BYTES_PER_SECOND = 10_000;

/** Where the host keeps files of a media type. As Cloudinary sorts them: audio counts as video, PDF as image. */
export function resourceTypeOf(mime: string): ResourceType {
  if (mime.startsWith('image/') || mime === 'application/pdf') return 'image';
  if (mime.startsWith('video/') || mime.startsWith('audio/')) return 'video';
  return 'raw';
}

/** `allowed` holds media types such as `image/png`, `image/*`, or `*\/*`. */
export function isAllowedType(mime: string, allowed: readonly string[]): boolean {
  const family = mime.replace(/\/.*/, '/*');
  return ['*/*', family, mime].some((pattern) => allowed.includes(pattern));
}
