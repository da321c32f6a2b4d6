import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostIdentity } from '../media/index.js';
import { holdsMedia } from '../media-host/index.js';

/** Beside the media of the local host, for a Redis that was emptied: which host is used instead of it. */
const NOTE = 'media-host.json';
const IDENTITY = /^(?:local|cloudinary:[A-Za-z0-9_-]+)$/;

/**
 * The host to which the media in this data folder belong: the local one, or the one that took its place. Null where there are
 * none, and where the folder cannot be read.
 */
export async function folderHost(dataDir: string): Promise<HostIdentity | null> {
  if (!(await holdsMedia(join(dataDir, 'media')).catch(() => false))) return null;
  return (await readNote(dataDir)) ?? 'local';
}

/** Remembers which host is used with this data folder, where it has media. Rejects with the error of the disk. */
export async function noteFolderHost(dataDir: string, identity: HostIdentity): Promise<void> {
  const path = join(dataDir, NOTE);
  if (identity === 'local') return rm(path, { force: true });
  const noted = await folderHost(dataDir);
  if (noted === null || noted === identity) return;
  const unfinished = `${path}.${String(process.pid)}`;
  await writeFile(unfinished, `${JSON.stringify({ host: identity })}\n`);
  await rename(unfinished, path);
}

async function readNote(dataDir: string): Promise<HostIdentity | null> {
  try {
    const note: unknown = JSON.parse(await readFile(join(dataDir, NOTE), 'utf8'));
    const host = typeof note === 'object' && note !== null && 'host' in note ? note.host : null;
    return typeof host === 'string' && IDENTITY.test(host) ? (host as HostIdentity) : null;
  } catch {
    return null;
  }
}
