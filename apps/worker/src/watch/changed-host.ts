import { settleHost, type CatalogHost, type SettleHostParts } from '@holdfast/shared/catalog-host';
import type { HostIdentity } from '@holdfast/shared/media';

export interface ChangedHostParts extends Omit<SettleHostParts, 'catalogHost'> {
  catalogHost: CatalogHost;
}

export interface ChangedHost {
  /**
   * Looks at the start and when Redis was emptied, and then only while the catalog belongs to another host. It then says that
   * this worker is running, for an API that uses the right one.
   */
  look(isWiped: boolean): Promise<void>;
  /** As of the last look. What this host lacks may then be on the other one. */
  isChanged(): boolean;
}

/** Follows whether the catalog belongs to the host of this worker. */
export function createChangedHost(parts: ChangedHostParts): ChangedHost {
  const { catalogHost, identity, log } = parts;
  let other: HostIdentity | null = null;
  let settled = false;
  return {
    look: async (isWiped) => {
      if (!settled || isWiped) other = await settleHost(parts);
      else if (other !== null) {
        const belongsTo = await catalogHost.read();
        if (belongsTo === identity) log.info('host.settled', { host: identity });
        other = belongsTo === identity ? null : belongsTo;
      }
      settled = true;
      if (other !== null) await catalogHost.noteOther(identity);
    },
    isChanged: () => other !== null,
  };
}
