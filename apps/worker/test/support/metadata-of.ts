import { writeHostMetadata, type HostMetadata, type MediaRecord } from '@holdfast/shared/media';

/** What the host carries of a record that is permanent. */
export function metadataOf(record: MediaRecord): HostMetadata {
  return writeHostMetadata({ mark: { state: 'committed' }, fields: record });
}
