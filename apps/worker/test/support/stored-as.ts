import { encodeContent, type StoredRecord } from '@holdfast/shared/catalog';
import type { MediaRecord } from '@holdfast/shared/media';

/** The record as a read of the catalog would find it. */
export function storedAs(record: MediaRecord): StoredRecord {
  const { id, status, pushedRevision } = record;
  const content = encodeContent(record);
  return {
    id,
    status,
    pushedRevision,
    mergeBase: null,
    record,
    sequence: 1,
    content,
    text: `[]\n${content}`,
  };
}
