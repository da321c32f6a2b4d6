import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Catalog } from '../catalog/index.js';
import type { Settings } from '@holdfast/foundation/config';
import type { Logger } from '@holdfast/foundation/logging';
import type { HostIdentity } from '../media/index.js';
import { holdsMedia, type MediaHost } from '../media-host/index.js';
import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';
import type { SyncState } from '../sync/index.js';

/** In the data folder, for a Redis that was emptied: the host that is used instead of the local one. */
const NOTE = 'media-host.json';
const noteSchema = z.object({ host: z.string().regex(/^(?:local|cloudinary:[A-Za-z0-9_-]+)$/) });

/** The media host to which the catalog belongs, kept with it in Redis. Throws CATALOG_UNAVAILABLE. */
export function createCatalogHost(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  const read = () => guarded(() => redis.get(keys.host) as Promise<HostIdentity | null>);
  return {
    /** Null while that is not known: catalogs of 0.1.0 did not keep it. */
    read,
    /** Unless the catalog belongs to one already. Answers which it belongs to then. */
    begin: (identity: HostIdentity): Promise<HostIdentity> =>
      guarded(async () => {
        await redis.set(keys.host, identity, 'NX');
        return (await read()) ?? identity;
      }),
    /** From now on it belongs to this one. */
    set: (identity: HostIdentity) => guarded(() => redis.set(keys.host, identity)),
  };
}

export type CatalogHost = ReturnType<typeof createCatalogHost>;

export interface SettleHostParts {
  catalogHost: CatalogHost;
  catalog: Pick<Catalog, 'counts' | 'hasOldIndexes'>;
  syncState: Pick<SyncState, 'readRefill'>;
  settings: Pick<Settings, 'dataDir'>;
  /** The one that is configured. */
  host: Pick<MediaHost, 'identity'>;
  log: Logger;
}

/**
 * Returns the host to which the catalog belongs where that is not the configured one, else null. Called at the start of a process
 * and when Redis was emptied. A catalog without records takes the configured host, unless the data folder has files of another
 * one. To which host a catalog of 0.1.0 belongs, which did not keep it, is known after a full sync. Throws CATALOG_UNAVAILABLE.
 */
export async function settleHost(parts: SettleHostParts): Promise<HostIdentity | null> {
  const belongsTo = await hostOfCatalog(parts);
  const configured = parts.host.identity;
  if (belongsTo === null || belongsTo === configured) return null;
  parts.log.warn('host.changed', { catalog: belongsTo, configured });
  return belongsTo;
}

async function hostOfCatalog(parts: SettleHostParts): Promise<HostIdentity | null> {
  const { catalogHost, catalog, syncState, log } = parts;
  const { dataDir } = parts.settings;
  const { identity } = parts.host;
  const known = await catalogHost.read();
  // A note of another host is out of date: the folder is in use again.
  if (known === identity && identity === 'local') await noteFolderHost(dataDir, identity, log);
  if (known === identity) return known;
  const [{ total }, areOld, { lastFullAt }, folder] = await Promise.all([
    catalog.counts(),
    catalog.hasOldIndexes(),
    syncState.readRefill(),
    folderHost(dataDir),
  ]);
  // After a full sync what is in the folder may have been given up long ago.
  const isGivenUp = known === null && lastFullAt !== null;
  const other = isGivenUp || folder === identity ? null : folder;
  if (total === 0 && !areOld && other === null) {
    await catalogHost.set(identity);
    await noteFolderHost(dataDir, identity, log);
    return identity;
  }
  if (known !== null) return known;
  return other === null ? null : catalogHost.begin(other);
}

/**
 * The host to which the files in this data folder belong: the local one, or the one that took its place. Null where there are none,
 * and where the folder cannot be read.
 */
export async function folderHost(dataDir: string): Promise<HostIdentity | null> {
  if (!(await holdsMedia(join(dataDir, 'media')).catch(() => false))) return null;
  return readFile(join(dataDir, NOTE), 'utf8')
    .then((text) => noteSchema.parse(JSON.parse(text)).host as HostIdentity)
    .catch((): HostIdentity => 'local');
}

/** Remembers which host is used with this data folder, where it has media. Never rejects: a failure of the disk is logged. */
export async function noteFolderHost(dataDir: string, identity: HostIdentity, log: Logger): Promise<void> {
  const path = join(dataDir, NOTE);
  try {
    if (identity === 'local') return await rm(path, { force: true });
    const noted = await folderHost(dataDir);
    if (noted === null || noted === identity) return;
    const unfinished = `${path}.${String(process.pid)}`;
    await writeFile(unfinished, `${JSON.stringify({ host: identity })}\n`);
    await rename(unfinished, path);
  } catch (error) {
    log.warn('host.not_noted', { error });
  }
}
