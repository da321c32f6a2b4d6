import { createHash } from 'node:crypto';
import type { MediaRecord, MediaStatus, ResourceType } from '../media/index.js';

/** What a record must be to be listed; all of it. */
export interface MediaFilters {
  type?: ResourceType;
  category?: string;
  tag?: string;
  status?: MediaStatus;
  /** Lower-case hex. */
  sha256?: string;
}

export function matches(record: MediaRecord, filters: MediaFilters): boolean {
  return (
    (filters.type === undefined || record.resourceType === filters.type) &&
    (filters.category === undefined || record.category === filters.category) &&
    (filters.tag === undefined || record.tags.includes(filters.tag)) &&
    (filters.status === undefined || record.status === filters.status) &&
    (filters.sha256 === undefined || record.checksum.sha256 === filters.sha256)
  );
}

/** Of a cursor: it is good for the order and the filters that it was made for, and for no others. */
export function fingerprint(order: string, filters: MediaFilters): string {
  const parts = [order, filters.type, filters.category, filters.tag, filters.status, filters.sha256];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 8);
}
