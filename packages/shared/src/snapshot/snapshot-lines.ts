import { statusCode, type StoredRecord } from '../catalog/index.js';
import type { MediaStatus } from '../media/index.js';

/**
 * A line is either
 *   r <id> <status> <pushed revision> <content line of the catalog>
 *   t <id> <ms of the deletion>
 * with tabs in between, which JSON never has. Of what is measured only `missing` and `deleting` are kept; every other
 * record is measured anew.
 */
export interface SnapshotRecord {
  kind: 'record';
  id: string;
  status: 'saving' | 'missing' | 'deleting';
  pushedRevision: number;
  content: string;
}

/** A media that was deleted, and must not come back with a snapshot or a listing. */
export interface SnapshotTombstone {
  kind: 'tombstone';
  id: string;
  /** Since the epoch. */
  deletedMs: number;
}

const kept: ReadonlySet<MediaStatus> = new Set(['missing', 'deleting']);

const statusOf: Readonly<Record<string, SnapshotRecord['status']>> = {
  [statusCode.saving]: 'saving',
  [statusCode.missing]: 'missing',
  [statusCode.deleting]: 'deleting',
};

export function encodeRecord({ id, status, pushedRevision, content }: StoredRecord): string {
  const code = statusCode[kept.has(status) ? status : 'saving'];
  return `r\t${id}\t${code}\t${String(pushedRevision)}\t${content}`;
}

export function encodeTombstone(id: string, deletedMs: string): string {
  return `t\t${id}\t${deletedMs}`;
}

/** Null for what is no such line. */
export function decodeLine(line: string): SnapshotRecord | SnapshotTombstone | null {
  const [kind, id = '', third = '', fourth = '', content = ''] = line.split('\t');
  if (id === '') return null;
  if (kind === 't' && /^[0-9]+$/.test(third)) return { kind: 'tombstone', id, deletedMs: Number(third) };
  const status = statusOf[third];
  if (kind !== 'r' || status === undefined || !/^[0-9]+$/.test(fourth) || content === '') return null;
  return { kind: 'record', id, status, pushedRevision: Number(fourth), content };
}
