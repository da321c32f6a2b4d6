import { createHash } from 'node:crypto';
import { HoldfastError } from '@holdfast/shared/errors';
import { splitTags } from '../http/entity-tag.js';
import type { PresentedMedia } from './present-media.js';

/** Strong: another tag for whatever a client can see. The revision stands in front, since edits are about that alone. */
export function entityTag(media: PresentedMedia): string {
  const hash = createHash('sha256').update(JSON.stringify(media)).digest('base64url').slice(0, 12);
  return `"${String(media.revision)}-${hash}"`;
}

/**
 * `If-Match`: the revisions that the client has seen, `any` for `*`, null without the header. What changes by itself, such
 * as the status, never gets in the way of an edit. Weak tags match nothing.
 */
export function expectedRevisions(header: string | undefined): readonly number[] | 'any' | null {
  if (header === undefined) return null;
  if (header.trim() === '*') return 'any';
  return splitTags(header).flatMap((tag) => {
    const revision = /^"(\d{1,15})(?:-[\w-]*)?"$/.exec(tag)?.[1];
    return revision === undefined ? [] : [Number(revision)];
  });
}

/** Throws REVISION_MISMATCH where the client has seen another revision than this one. */
export function refuseOtherRevision(expected: readonly number[] | 'any' | null, revision: number): void {
  if (expected === null || expected === 'any' || expected.includes(revision)) return;
  throw new HoldfastError('REVISION_MISMATCH', `the media has revision ${String(revision)}`);
}
