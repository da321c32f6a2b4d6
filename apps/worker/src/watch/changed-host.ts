import { settleHost, type CatalogHost, type SettleHostParts } from '@holdfast/shared/catalog-host';
import type { HostIdentity } from '@holdfast/shared/media';

export interface ChangedHostParts extends Omit<SettleHostParts, 'catalogHost'> {
  catalogHost: CatalogHost;
}

/**
 * Follows whether the catalog belongs to the host of this worker. Looks at the start and when Redis was emptied, and then only
 * while the catalog belongs to another one, which an API with the right host says of this worker too.
 */
export function createChangedHost(parts: ChangedHostParts): (isWiped: boolean) => Promise<void> {
  const { catalogHost, identity, log } = parts;
  let other: HostIdentity | null = null;
  let settled = false;
  return async (isWiped) => {
    if (!settled || isWiped) other = await settleHost(parts);
    else if (other !== null) {
      const belongsTo = await catalogHost.read();
      if (belongsTo === identity) log.info('host.settled', { host: identity });
      other = belongsTo === identity ? null : belongsTo;
    }
    settled = true;
    if (other !== null) await catalogHost.noteOther(identity);
  };
}
