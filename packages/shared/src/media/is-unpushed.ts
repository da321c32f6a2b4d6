import type { MediaRecord } from './media-record.js';

/** True for an edit that the host does not carry yet: a wiped Redis may lose it. */
export function isUnpushed({
  pushedRevision,
  revision,
}: Pick<MediaRecord, 'pushedRevision' | 'revision'>): boolean {
  return pushedRevision < revision;
}
