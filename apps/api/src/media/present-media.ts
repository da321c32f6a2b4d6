import { createHash } from 'node:crypto';
import { HoldfastError } from '@holdfast/foundation/errors';
import { pickEditable, type EditableFields, type MediaRecord } from '@holdfast/shared/media';
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

/** A state that a client has seen. */
interface SeenMedia {
  revision: number;
  /** The editable fields and the bytes; undefined if the tag names only the revision. */
  content: string | undefined;
}

const HASH_CHARACTERS = 8;

/**
 * Strong: it differs for all that a client can see. Revision and content come first, since edits depend on these alone. The
 * content is there because records of assets found on the host change without a new revision.
 */
export function entityTag(media: PresentedMedia): string {
  return `"${String(media.revision)}-${contentOf(media)}.${hashOf(media)}"`;
}

/**
 * `If-Match`: the states that the client has seen, null where any will do. What changes by itself, such as the status, never
 * prevents an edit. Weak tags match nothing.
 */
export function seenStates(header = '*'): SeenMedia[] | null {
  if (header.trim() === '*') return null;
  return splitTags(header).flatMap((tag) => {
    const [, revision, content] = /^"(\d{1,15})(?:-(?:([\w-]+)\.)?[\w-]*)?"$/.exec(tag) ?? [];
    return revision === undefined ? [] : [{ revision: Number(revision), content }];
  });
}

/** Throws REVISION_MISMATCH where the client has seen another state than this one. */
export function refuseOtherState(states: readonly SeenMedia[] | null, record: MediaRecord): void {
  if (states === null) return;
  const { revision } = record;
  const seen = states.filter((state) => state.revision === revision);
  if (seen.some(({ content }) => content === undefined || content === contentOf(record))) return;
  throw new HoldfastError(
    'REVISION_MISMATCH',
    seen.length > 0 ? 'the record was changed on the host' : `the current revision is ${String(revision)}`,
  );
}

type Content = EditableFields & Pick<MediaRecord, 'filename' | 'bytes' | 'checksum'>;

function contentOf(content: Content): string {
  const { filename, bytes, checksum } = content;
  return hashOf([...Object.values(pickEditable(content)), filename, bytes, checksum.md5]);
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, HASH_CHARACTERS);
}
