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

/** A file that notes deletions; see deletion-notes.ts. */
export interface DeletionFile {
  file: HostFile;
  /** How many it notes. */
  count: number;
  /** The one deletion that is noted by the name alone, as version 0.1.0 did; null where the file has to be read. */
  id: string | null;
}

/** Ends the name of a file of version 0.1.0, which notes one deletion. */
const SINGLE = '.deleted';
const DELETIONS = /^[0-9A-HJKMNP-TV-Z]{26}[.]deletions-([0-9]{1,9})$/;
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

/** The name of a file that notes so many deletions. `id` is a ULID of its own. */
export function deletionsName(folder: string, count: number, id: string): string {
  return `${snapshotPrefix(folder)}${id}.deletions-${String(count)}`;
}

/** Newest first. Files below the prefix that are of a deployment further down, or not ours, are left out. */
export function groupFiles(folder: string, files: readonly HostFile[]): SnapshotFiles[] {
  const byId = new Map<string, SnapshotFiles>();
  for (const { file, name } of filesIn(folder, files)) {
    const [, id, kind] = FILE.exec(name) ?? [];
    if (id === undefined) continue;
    const snapshot = byId.get(id) ?? { id, manifest: null, parts: [] };
    byId.set(id, snapshot);
    if (kind === 'manifest') snapshot.manifest = file;
    else snapshot.parts.push(file);
  }
  return [...byId.values()].toSorted((a, b) => (a.id < b.id ? 1 : -1));
}

/** Those of a deployment's files that note deletions. */
export function deletionFiles(folder: string, files: readonly HostFile[]): DeletionFile[] {
  return filesIn(folder, files).flatMap(({ file, name }): DeletionFile[] => {
    const count = Number(DELETIONS.exec(name)?.[1] ?? 0);
    if (count > 0) return [{ file, count, id: null }];
    const id = name.endsWith(SINGLE) ? name.slice(0, -SINGLE.length) : '';
    return isMediaId(id) ? [{ file, count: 1, id }] : [];
  });
}

/** Those right below the prefix, with the rest of their names. */
function filesIn(folder: string, files: readonly HostFile[]): { file: HostFile; name: string }[] {
  const prefix = snapshotPrefix(folder);
  return files
    .filter(({ name }) => name.startsWith(prefix) && !name.includes('/', prefix.length))
    .map((file) => ({ file, name: file.name.slice(prefix.length) }));
}
