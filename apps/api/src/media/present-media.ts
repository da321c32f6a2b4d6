import { createHash } from 'node:crypto';
import { HoldfastError } from '@holdfast/foundation/errors';
import { pickEditable, type MediaRecord } from '@holdfast/shared/media';
import type { PublicAddress } from '../http/http-server.js';
import { splitTags } from '../http/request-input.js';

/** A record as clients see it: nothing internal. */
export type PresentedMedia = Omit<MediaRecord, 'hostVersion' | 'pushedRevision'>;

/** `address` is where clients reach this API. */
export function presentMedia(
  { hostVersion: _version, pushedRevision: _pushed, ...media }: MediaRecord,
  address: Pick<PublicAddress, 'url'>,
): PresentedMedia {
  // The local host knows its files by path only, so a change of the address leaves the records as they are.
  return { ...media, url: media.url.startsWith('/') ? `${address.url()}${media.url}` : media.url };
}

/** The body of answers that accept something for later. The link is a path below the API's own address. */
export function acceptedMedia(record: MediaRecord, address: Pick<PublicAddress, 'url'>) {
  return { media: presentMedia(record, address), links: { self: `/api/media/${record.id}` } };
}

const HASH_CHARACTERS = 8;

/**
 * Strong: it differs for all that a client can see. Revision and content come first, since edits depend on these alone. The
 * content is there because records of assets found on the host change without a new revision.
 */
export function entityTag(media: PresentedMedia): string {
  return `"${String(media.revision)}-${contentOf(media)}.${hashOf(media)}"`;
}

/** A tag, with the revision and the content that its client has seen; without content it names only the revision. */
const TAG = /^"(\d{1,15})(?:-(?:([\w-]+)\.)?[\w-]*)?"$/;

/**
 * Throws REVISION_MISMATCH where none of the tags in `If-Match` is of this state; `*` is of any. What changes by itself, such as the
 * status, never prevents an edit. Weak tags match nothing.
 */
export function refuseOtherState(ifMatch: string, record: MediaRecord): void {
  if (isOfAnyState(ifMatch)) return;
  const seen = splitTags(ifMatch).flatMap((tag) => {
    const [, revision, content] = TAG.exec(tag) ?? [];
    return Number(revision) === record.revision ? [content] : [];
  });
  if (seen.some((content) => content === undefined || content === contentOf(record))) return;
  throw new HoldfastError(
    'REVISION_MISMATCH',
    seen.length > 0
      ? 'the record was changed on the host'
      : `the current revision is ${String(record.revision)}`,
  );
}

/** Whether the client insists on no state that it has seen. */
export function isOfAnyState(ifMatch: string): boolean {
  return ifMatch.trim() === '*';
}

function contentOf(media: PresentedMedia): string {
  const { filename, bytes, checksum } = media;
  return hashOf([...Object.values(pickEditable(media)), filename, bytes, checksum.md5]);
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, HASH_CHARACTERS);
}
