import type { Catalog } from '../catalog/index.js';
import type { Logger } from '../logging/index.js';
import { hostOfUrl, type HostIdentity } from '../media/index.js';
import type { SyncState } from '../sync/index.js';
import type { CatalogHost } from './catalog-host.js';
import { folderHost, noteFolderHost } from './folder-host.js';

export interface SettleHostParts {
  catalogHost: CatalogHost;
  catalog: Pick<Catalog, 'counts' | 'list' | 'hasOldIndexes'>;
  syncState: Pick<SyncState, 'readMarks'>;
  dataDir: string;
  /** Of the host that is configured. */
  identity: HostIdentity;
  log: Logger;
}

/**
 * Answers the host to which the catalog belongs where that is not the configured one, else null. To be called at the start
 * of a process and when Redis was emptied. A catalog without records takes the configured host, unless the data folder has
 * media of another one. Of a catalog of 0.1.0 only a record whose address names another host counts against it; that it
 * belongs to the configured host is for a full sync to say. Throws CATALOG_UNAVAILABLE.
 */
export async function settleHost(parts: SettleHostParts): Promise<HostIdentity | null> {
  const belongsTo = await decide(parts);
  const { identity, log } = parts;
  if (belongsTo !== null && belongsTo !== identity) {
    log.warn('host.changed', { catalog: belongsTo, configured: identity });
    return belongsTo;
  }
  return null;
}

async function decide({
  catalogHost,
  catalog,
  syncState,
  dataDir,
  identity,
  log,
}: SettleHostParts): Promise<HostIdentity | null> {
  const known = await catalogHost.read();
  // A note of another host is from before: the folder is in use again.
  if (known === identity && identity === 'local') await note(dataDir, identity, log);
  if (known === identity) return known;
  const [{ total }, areOld, { lastFullAt }, folder] = await Promise.all([
    catalog.counts(),
    catalog.hasOldIndexes(),
    syncState.readMarks(),
    folderHost(dataDir),
  ]);
  // Once somebody has looked at the whole host, what lies in the folder may long have been given up.
  const claim = known === null && lastFullAt !== null ? null : folder;
  const other = claim !== null && claim !== identity ? claim : null;
  if (total === 0 && !areOld && other === null) {
    await catalogHost.set(identity);
    await note(dataDir, identity, log);
    return identity;
  }
  if (known !== null) return known;
  const ofRecords = other ?? (await otherHostOfRecords(catalog, identity));
  return ofRecords === null ? null : catalogHost.begin(ofRecords);
}

async function note(dataDir: string, identity: HostIdentity, log: Logger): Promise<void> {
  await noteFolderHost(dataDir, identity).catch((error: unknown) => log.warn('host.not_noted', { error }));
}

/** Among the oldest and the newest records. Those that are missing were given up already. */
async function otherHostOfRecords(
  catalog: Pick<Catalog, 'list'>,
  identity: HostIdentity,
): Promise<HostIdentity | null> {
  for (const order of ['oldest', 'newest'] as const) {
    const { items } = await catalog.list({ limit: 100, order });
    for (const { url, status } of items) {
      const host = hostOfUrl(url);
      if (status !== 'missing' && status !== 'deleting' && host !== null && host !== identity) return host;
    }
  }
  return null;
}
