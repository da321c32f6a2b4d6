import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rmdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '@holdfast/foundation/logging';
import { bytesPath, identitySchema, metadataPath, placeOfRef, readIdentity } from './asset-files.js';
import { errnoOf, namesIn, OWN_FOLDER, removeFile, unlessMissing } from './disk.js';

/** Where files rest until they are complete, inside the media folder so that a rename is enough. */
export const STAGING = '.staging';

/** Staging of a process that we cannot see (another machine or container) counts as left behind after so long. */
const STALE_MS = 10 * 60_000;

/** What an upload leaves in staging: `<token>` (bytes) and `<token>.json` (identity), and where the bytes may have been linked to. */
export interface Staging {
  /** Absolute path of this process's own folder, made again when it is gone. */
  folder(): Promise<string>;
  newToken(): string;
}

export function createStaging(root: string): Staging {
  const name = [hostname().replaceAll('.', '-'), process.pid, randomBytes(4).toString('hex')].join('.');
  const own = join(root, STAGING, name);
  ownFolders.add(own);
  return {
    folder: async () => {
      await mkdir(own, { recursive: true, mode: OWN_FOLDER });
      return own;
    },
    newToken: () => randomBytes(8).toString('hex'),
  };
}

/** Several hosts may run in one process, in tests. */
const ownFolders = new Set<string>();

/** Removes what dead processes left in staging, and what their unfinished uploads had already linked. */
export async function clearLeftovers(root: string, log: Logger): Promise<void> {
  for (const name of await namesIn(join(root, STAGING))) {
    const folder = join(root, STAGING, name);
    if (ownFolders.has(folder)) continue;
    const dead = isDeadHere(name);
    let removed = 0;
    for (const file of await namesIn(folder)) {
      const path = join(folder, file);
      if (!dead && !(await isStale(path))) continue;
      if (file.endsWith('.json')) {
        const text = await unlessMissing(readFile(path, 'utf8'));
        if (text !== null) await removeLeftBytes(root, text);
      }
      if (await removeFile(path)) removed += 1;
    }
    if (removed > 0) log.info('host.leftovers_removed', { files: removed });
    if (dead || (await isStale(folder))) await rmdir(folder).catch(() => undefined);
  }
}

/** True when the name tells of a process of this machine that no longer runs. */
function isDeadHere(name: string): boolean {
  const [host, pid = ''] = name.split('.');
  if (host !== hostname().replaceAll('.', '-')) return false;
  // The folder is not one of ours, so one with our pid is of an earlier life.
  if (Number(pid) === process.pid) return true;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return errnoOf(error) === 'ESRCH';
  }
}

async function isStale(path: string): Promise<boolean> {
  const found = await unlessMissing(stat(path));
  return found !== null && Date.now() - found.mtimeMs > STALE_MS;
}

/**
 * Finishes what a dead process left half-done, by the identity in its staging: an upload whose identity was not
 * linked, or a removal whose bytes were not deleted. Bytes that a committed identity names are never touched.
 */
async function removeLeftBytes(root: string, identityText: string): Promise<void> {
  const known = parse(identityText);
  if (known === null) return;
  const place = placeOfRef(root, known);
  const committed = await readIdentity(place);
  if (committed?.token === known.token) return;
  await removeFile(bytesPath(place, known.token));
  await removeFile(metadataPath(place, known.token));
}

/** Null for a text that was cut off: then its bytes had no name yet. */
function parse(text: string) {
  try {
    return identitySchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
