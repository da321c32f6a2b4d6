import { HoldfastError } from '@holdfast/shared/errors';
import { isHalfSpent, type HostAsset } from '@holdfast/shared/media-host';
import type { SyncDependencies } from '../sync-run/sync-dependencies.js';
import { knownRecords, type NamedAsset } from './known-records.js';

/** What became of assets that the host does not have under their names. */
export interface Whereabouts {
  /** There by their ids, under other names. */
  moved: HostAsset[];
  /** Denied by their ids too. */
  gone: NamedAsset[];
}

/**
 * Asks for those that our records still have under these names, a metered call where there are any. The second half of the budget is
 * left to syncs, which see the same.
 */
export async function whereaboutsOf(
  unfound: readonly NamedAsset[],
  { catalog, host, settings }: Pick<SyncDependencies, 'catalog' | 'host' | 'settings'>,
  signal: AbortSignal,
): Promise<Whereabouts> {
  const known = await knownRecords(unfound, catalog, settings.host.folder);
  const doubtful = unfound.filter(({ publicId }, index) => known[index]?.record.publicId === publicId);
  const ids = doubtful.flatMap(({ assetId }) => assetId ?? []);
  if (ids.length === 0 || isHalfSpent(host.budget())) return { moved: [], gone: [] };
  const { assets: moved, unreadable } = await host.confirm(ids, signal);
  if (unreadable.length > 0)
    throw new HoldfastError('HOST_REJECTED', `${String(unreadable.length)} asset(s) cannot be read`);
  const there = new Set(moved.map(({ assetId }) => assetId));
  return { moved, gone: doubtful.filter(({ assetId }) => assetId !== null && !there.has(assetId)) };
}
