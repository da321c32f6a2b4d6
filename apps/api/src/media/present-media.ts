import type { MediaRecord } from '@holdfast/shared/media';
import type { PublicAddress } from '../http/http-server.js';

/** A record as clients see it: these fields in this order, nothing internal. */
export type PresentedMedia = Omit<MediaRecord, 'hostVersion' | 'pushedRevision'>;

export interface MediaLinks {
  /** Path of the record below the API's own address. */
  self: string;
}

/** `address` is where clients reach this API. */
export function presentMedia(record: MediaRecord, address: Pick<PublicAddress, 'url'>): PresentedMedia {
  return {
    id: record.id,
    status: record.status,
    publicId: record.publicId,
    assetId: record.assetId,
    resourceType: record.resourceType,
    format: record.format,
    bytes: record.bytes,
    width: record.width,
    height: record.height,
    durationSeconds: record.durationSeconds,
    // The local host knows its files by path only: the address may change, the records stay.
    url: record.url.startsWith('/') ? `${address.url()}${record.url}` : record.url,
    checksum: { sha256: record.checksum.sha256, md5: record.checksum.md5 },
    filename: record.filename,
    title: record.title,
    description: record.description,
    category: record.category,
    tags: record.tags,
    uploadedBy: record.uploadedBy,
    source: record.source,
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
    revision: record.revision,
    persistence: {
      level: record.persistence.level,
      verifiedAt: record.persistence.verifiedAt,
      attempts: record.persistence.attempts,
    },
    lastError: record.lastError,
  };
}

function mediaLinks({ id }: Pick<MediaRecord, 'id'>): MediaLinks {
  return { self: `/api/media/${id}` };
}

/** The body of answers that accept something for later. */
export function acceptedMedia(
  record: MediaRecord,
  address: Pick<PublicAddress, 'url'>,
): { media: PresentedMedia; links: MediaLinks } {
  return { media: presentMedia(record, address), links: mediaLinks(record) };
}
