import { createHash } from 'node:crypto';
import { HoldfastError } from '@holdfast/shared/errors';
import type { MediaRecord } from '@holdfast/shared/media';
import { splitTags } from '../http/request-input.js';
import type { PresentedMedia } from './present-media.js';

/** A state that a client has seen. */
export interface SeenMedia {
  revision: number;
  /** What could be edited, and the bytes; undefined where the tag tells the revision alone. */
  content: string | undefined;
}

/** What the client insists on: one of these states, `any` that is there, or null, nothing. */
export type ExpectedStates = readonly SeenMedia[] | 'any' | null;

const HASH_CHARACTERS = 8;

/**
 * Strong: another tag for whatever a client can see. Revision and content stand in front, since edits are about these alone.
 * The content is there too because media found on the host change there without another revision.
 */
export function entityTag(media: PresentedMedia): string {
  return `"${String(media.revision)}-${contentOf(media)}.${hashOf(media)}"`;
}

/**
 * `If-Match`: the states that the client has seen, `any` for `*`, null without the header. What changes by itself, such
 * as the status, never gets in the way of an edit. Weak tags match nothing.
 */
export function expectedStates(header: string | undefined): ExpectedStates {
  if (header === undefined) return null;
  if (header.trim() === '*') return 'any';
  return splitTags(header).flatMap((tag) => {
    const [, revision, content] = /^"(\d{1,15})(?:-(?:([\w-]+)\.)?[\w-]*)?"$/.exec(tag) ?? [];
    return revision === undefined ? [] : [{ revision: Number(revision), content }];
  });
}

/** Throws REVISION_MISMATCH where the client has seen another state than this one. */
export function refuseOtherState(expected: ExpectedStates, record: MediaRecord): void {
  if (expected === null || expected === 'any') return;
  const { revision } = record;
  const seen = expected.filter((state) => state.revision === revision);
  if (seen.some(({ content }) => content === undefined || content === contentOf(record))) return;
  throw new HoldfastError(
    'REVISION_MISMATCH',
    seen.length > 0 ? 'the media was changed on the host' : `the media has revision ${String(revision)}`,
  );
}

type Content = Pick<
  MediaRecord,
  'title' | 'description' | 'category' | 'tags' | 'filename' | 'bytes' | 'checksum'
>;

function contentOf({ title, description, category, tags, filename, bytes, checksum }: Content): string {
  return hashOf([title, description, category, tags, filename, bytes, checksum.md5]);
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, HASH_CHARACTERS);
}
