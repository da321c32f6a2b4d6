import { encodeContent, type ContentOf, type FoundRecord } from '@holdfast/shared/catalog';
import { isOwnId, type MediaRecord } from '@holdfast/shared/media';

/**
 * same: every field and every index entry is there. superseded: a newer revision, a deletion, or what was verified in the
 * same revision has taken its place, and has a verification of its own. The rest is to be mended: absent, other content, or
 * lacking index entries.
 */
export type Verdict = 'same' | 'superseded' | 'absent' | 'different' | 'unindexed';

/** A record as it should be found. */
export type ExpectedRecord = ContentOf & Pick<MediaRecord, 'revision'>;

export function expectedRecord(record: MediaRecord, content = encodeContent(record)): ExpectedRecord {
  return { id: record.id, revision: record.revision, content };
}

/** Compares as text what both sides encode to, so that no field can be forgotten. */
export function judgeRecord(expected: MediaRecord, found: FoundRecord): Verdict {
  return judgeContent(expectedRecord(expected), found);
}

/** The same, where what the record encodes to is known already. */
export function judgeContent(expected: ExpectedRecord, { stored, gaps }: FoundRecord): Verdict {
  if (stored === null) return 'absent';
  if (stored.status === 'deleting') return 'superseded';
  if (stored.content !== expected.content) {
    const { revision } = stored.record;
    if (revision > expected.revision) return 'superseded';
    // A record follows the host without a new revision: that of an asset that others own in everything, ours to its place. And
    // what was proven since is nobody's to mend.
    const mayFollow = !isOwnId(expected.id) || stored.status === 'verified';
    return revision === expected.revision && mayFollow ? 'superseded' : 'different';
  }
  return gaps === 0 ? 'same' : 'unindexed';
}
