import { isMediaId } from '../media/index.js';
import type { HostFile } from '../media-host/index.js';

/** The files of one snapshot that are there, whether it is complete or not. */
export interface SnapshotFiles {
  /** A ULID, so that ids sort by time. */
  id: string;
  /** Without one the snapshot was never finished. */
  manifest: HostFile | null;
  parts: HostFile[];
}

/** Tells that a media was deleted; see deletion-notes.ts. */
export interface DeletionFile {
  /** Of the media. */
  id: string;
  file: HostFile;
}

const DELETION = '.deleted';
const FILE = /^([0-9A-HJKMNP-TV-Z]{26})[.](manifest|part-[0-9]{4,})$/;

/** The files of a deployment, which its folder names: others on the same cloud have another one. */
export function snapshotPrefix(folder: string): string {
  return `holdfast-snapshots/${folder}/`;
}

/** `id` is that of the snapshot, which its parts carry too. */
export function manifestName(folder: string, id: string): string {
  return `${snapshotPrefix(folder)}${id}.manifest`;
}

/** `number` counts from 1. */
export function partName(folder: string, id: string, number: number): string {
  return `${snapshotPrefix(folder)}${id}.part-${String(number).padStart(4, '0')}`;
}

/** Newest first. Files below the prefix that are of a deployment further down, or none of ours, are left out. */
export function groupFiles(folder: string, files: readonly HostFile[]): SnapshotFiles[] {
  const prefix = snapshotPrefix(folder);
  const byId = new Map<string, SnapshotFiles>();
  for (const file of files) {
    const [, id, kind] = FILE.exec(file.name.startsWith(prefix) ? file.name.slice(prefix.length) : '') ?? [];
    if (id === undefined) continue;
    const snapshot = byId.get(id) ?? { id, manifest: null, parts: [] };
    byId.set(id, snapshot);
    if (kind === 'manifest') snapshot.manifest = file;
    else snapshot.parts.push(file);
  }
  return [...byId.values()].toSorted((a, b) => (a.id < b.id ? 1 : -1));
}

/** The note on the media `id`; `deletionFiles` finds it again. */
export function deletionName(folder: string, id: string): string {
  return `${snapshotPrefix(folder)}${id}${DELETION}`;
}

/** The deletions that the files of a deployment tell. */
export function deletionFiles(folder: string, files: readonly HostFile[]): DeletionFile[] {
  const prefix = snapshotPrefix(folder);
  return files.flatMap((file) => {
    if (!file.name.startsWith(prefix) || !file.name.endsWith(DELETION)) return [];
    const id = file.name.slice(prefix.length, -DELETION.length);
    return isMediaId(id) ? [{ id, file }] : [];
  });
}
