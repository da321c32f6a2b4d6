import { z } from 'zod';
import type { UploadSettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Catalog } from '../catalog/index.js';
import {
  editBase,
  formats,
  isAllowedType,
  recordFromAsset,
  SLOWEST_BYTES_PER_SECOND,
  writeHostMetadata,
  type Carried,
  type CommitMark,
  type MediaRecord,
} from '../media/index.js';
import type { HostAsset, MediaHost } from '../media-host/index.js';
import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';

const ticket = z.object({
  publicId: z.string(),
  /** Of the file's name, where the public id is signed without it. Tickets of an earlier version know none. */
  extension: z.string().default(''),
  /** The account stored its file under another name, and it was removed again. */
  altered: z.boolean().default(false),
});

/** What must be known about an upload that a client may send straight to the host. Everything else the asset carries itself. */
export type Ticket = z.infer<typeof ticket>;

export type Tickets = ReturnType<typeof createTickets>;

/**
 * The tickets that were given out. Redis forgets them by itself. Losing one early loses no upload, since the asset tells what it is.
 * Every function throws QUEUE_UNAVAILABLE when Redis cannot serve.
 */
export function createTickets(redis: RedisClient, keys: RedisKeys) {
  const run = redisEdge('QUEUE_UNAVAILABLE');
  const find = (id: string): Promise<Ticket | null> =>
    run(async () => {
      const stored = await redis.get(keys.ticket(id));
      return stored === null ? null : ticket.parse(JSON.parse(stored));
    });
  return {
    find,
    issue: (id: string, issued: Pick<Ticket, 'publicId' | 'extension'>, forMs: number): Promise<unknown> =>
      run(() => redis.set(keys.ticket(id), JSON.stringify(issued), 'PX', forMs)),
    noteAltered: async (id: string): Promise<void> => {
      const stored = await find(id);
      if (stored === null) return;
      await run(() => redis.set(keys.ticket(id), JSON.stringify({ ...stored, altered: true }), 'KEEPTTL'));
    },
  };
}

/** For an upload that began in time, besides the time that the slowest takes. */
const GRACE_MS = 60_000;

/**
 * Why an asset that a client sent straight to the host must be removed again, by what the host reports of it; null where it enters the
 * catalog. All times are the host's; the rules are those that cannot be given to it, or not reliably.
 */
export function refusalOfArrival(
  asset: Pick<HostAsset, 'publicId' | 'resourceType' | 'format' | 'bytes' | 'uploadedAt'>,
  { expiresAtMs }: Extract<CommitMark, { state: 'ticket' }>,
  { maxBytes, allowedTypes }: Pick<UploadSettings, 'maxBytes' | 'allowedTypes'>,
): HoldfastError | null {
  const { publicId, resourceType, format, bytes, uploadedAt } = asset;
  const transferMs = (bytes / SLOWEST_BYTES_PER_SECOND) * 1_000;
  if (Date.parse(uploadedAt) > expiresAtMs + GRACE_MS + transferMs)
    return new HoldfastError('MEDIA_NOT_FOUND', 'the file arrived after its ticket expired');
  if (bytes > maxBytes)
    return new HoldfastError(
      'FILE_TOO_LARGE',
      `the file has ${String(bytes)} bytes, files may have at most ${String(maxBytes)}`,
    );
  // The ticket was for a raw file, whose public id has an extension; the type is not signed.
  const isOtherType = resourceType !== 'raw' && /\.[^/]*$/.test(publicId);
  if (!isOtherType && isAllowedKind(asset, allowedTypes)) return null;
  return new HoldfastError(
    'UNSUPPORTED_TYPE',
    `files of type ${format ?? resourceType} are not accepted; accepted types are ${allowedTypes.join(', ')}`,
  );
}

/**
 * Makes an asset count that came with a ticket, was looked at and is accepted: its mark says so, with the ticket's own words
 * and the checksum that the host tells. Answers the record that this makes. Where another was faster, the media may have been
 * edited since, and the mark may have landed on that edit: then what the catalog has now is written. Rejects as the host and
 * the catalog do.
 */
export async function writeCommitMark(
  { host, catalog, folder }: { host: MediaHost; catalog: Catalog; folder: string },
  { asset, carried }: { asset: HostAsset; carried: Pick<Carried, 'fields'> },
  signal?: AbortSignal,
): Promise<MediaRecord> {
  const write = (fields: Carried['fields']): Promise<HostAsset> =>
    host.annotate(asset, writeHostMetadata({ mark: { state: 'committed' }, fields }, asset), signal);
  const { fields } = carried;
  const told = {
    checksum: { ...fields.checksum, md5: fields.checksum.md5 ?? asset.etag },
    durationSeconds: asset.durationSeconds ?? fields.durationSeconds,
  };
  const record = recordFromAsset(await write({ ...fields, ...told }), folder, 'direct');
  for (let written = record; ;) {
    const latest = await catalog.find(record.id);
    if (latest === null || latest.status === 'deleting' || !isEdited(latest, written)) return record;
    await write(latest);
    written = latest;
  }
}

/** In the same revision as well: what was edited on the host before another took it in came with that. */
function isEdited(latest: MediaRecord, { revision, ...fields }: MediaRecord): boolean {
  return (
    latest.revision > revision || (latest.revision === revision && editBase(latest) !== editBase(fields))
  );
}

/** Raw files are stored as they come; the host has not looked what they are. */
const UNKNOWN = 'application/octet-stream';

/** Whether a file of this kind, as the host detected it from the bytes, is one of the allowed media types. */
function isAllowedKind(
  { resourceType, format }: Pick<HostAsset, 'resourceType' | 'format'>,
  allowed: readonly string[],
): boolean {
  if (resourceType === 'raw' || format === null || format === undefined) return mayBeAnyKind(allowed);
  const types = formats[resourceType][format] ?? [`${resourceType}/${format}`];
  return types.some((type) => isAllowedType(type, allowed));
}

/** Whether files may come in of which the host cannot tell the kind. */
export function mayBeAnyKind(allowed: readonly string[]): boolean {
  return isAllowedType(UNKNOWN, allowed);
}
