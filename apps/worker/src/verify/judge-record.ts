import { encodeContent } from '@holdfast/shared/catalog';
import { isOwnId, type MediaRecord } from '@holdfast/shared/media';
import type { ReadBackRecord } from './read-back.js';

/**
 * same: every field and every index entry is there. superseded: a newer revision, or a deletion, has taken its place,
 * and has a verification of its own. The rest is to be mended: absent, other content, or lacking index entries.
 */
export type Verdict = 'same' | 'superseded' | 'absent' | 'different' | 'unindexed';

export function judgeRecord(expected: MediaRecord, { stored, gaps }: ReadBackRecord): Verdict {
  if (stored === null) return 'absent';
  const { record, content } = stored;
  if (record.status === 'deleting' || record.revision > expected.revision) return 'superseded';
  if (content !== encodeContent(expected)) {
    // The record of an asset that others own follows the host without a new revision.
    return record.revision === expected.revision && !isOwnId(expected.id) ? 'superseded' : 'different';
  }
  return gaps === 0 ? 'same' : 'unindexed';
}
