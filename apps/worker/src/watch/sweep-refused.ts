import type { Catalog } from '@holdfast/shared/catalog';
import type { CatalogHost } from '@holdfast/shared/catalog-host';
import { isHoldfastError } from '@holdfast/foundation/errors';
import type { Intents, RefusedAsset, RefusedAssets } from '@holdfast/shared/intents';
import type { Logger } from '@holdfast/foundation/logging';
import { idFromPublicId, readHostMetadata } from '@holdfast/shared/media';
import { isCircuitOpen, type MediaHost } from '@holdfast/shared/media-host';
import { inParallel, SWEPT_AT_ONCE } from '../sync-run/host-calls.js';

export interface SweepRefusedDependencies {
  refused: RefusedAssets;
  intents: Pick<Intents, 'kill' | 'bury' | 'drop'>;
  catalog: Pick<Catalog, 'find'>;
  catalogHost: Pick<CatalogHost, 'read'>;
  host: Pick<MediaHost, 'identity' | 'find' | 'remove'>;
  folder: string;
  log: Logger;
}

const AT_ONCE = 200;
/** With the 20 s between two looks of the watch: within a minute of the end of what kept it from being removed. */
const AGAIN_AFTER_MS = 5_000;
const SPREAD_MS = 10_000;

/** Removes refused uploads from the host that could not be removed when they were refused; tries for ever. */
export async function sweepRefused(deps: SweepRefusedDependencies, signal: AbortSignal): Promise<void> {
  const { refused, catalogHost, host, log } = deps;
  const due = await refused.due(Date.now(), AT_ONCE);
  if (due.length === 0) return;
  // What this host lacks may be on the one to which the catalog belongs.
  const belongsTo = await catalogHost.read();
  if (belongsTo !== null && belongsTo !== host.identity) return;
  let resting = false;
  await inParallel(due, SWEPT_AT_ONCE, async (asset) => {
    if (signal.aborted || resting) return;
    try {
      if (await settleRefused(asset, deps, signal)) return await refused.done(asset);
    } catch (error) {
      // Stays due: it was not tried, and neither would be the others.
      resting = isCircuitOpen(error);
      if (resting) return;
      if (isHoldfastError(error, 'CATALOG_UNAVAILABLE', 'QUEUE_UNAVAILABLE')) throw error;
      log.warn('sweep.refused_left', { publicId: asset.publicId, error });
    }
    await refused.add(asset, Date.now() + AGAIN_AFTER_MS + Math.random() * SPREAD_MS);
  });
}

/** True when nothing is left to do. Foreign assets, and media that were accepted after all, are left alone. */
async function settleRefused(
  ref: RefusedAsset,
  { intents, catalog, host, folder, log }: SweepRefusedDependencies,
  signal: AbortSignal,
): Promise<boolean> {
  // Whatever type the host took it for.
  const id = idFromPublicId(folder, { ...ref, resourceType: 'raw' });
  if (id === null) return true;
  // A live upload without a heartbeat is given up like any other.
  await intents.kill(id);
  if (await mayStay(ref, id, { catalog, host }, signal)) return true;
  // The client may be trying again under the same id: then that upload decides. Else it cannot, until we are done.
  if ((await intents.bury(id, ref.publicId)) !== 'dead') return false;
  if (!(await mayStay(ref, id, { catalog, host }, signal))) await host.remove(ref, signal);
  await intents.drop(id);
  log.info('sweep.refused_removed', { publicId: ref.publicId });
  return true;
}

/** Nothing is there, or it belongs to somebody else or to a record. */
async function mayStay(
  ref: RefusedAsset,
  id: string,
  { catalog, host }: Pick<SweepRefusedDependencies, 'catalog' | 'host'>,
  signal: AbortSignal,
): Promise<boolean> {
  const asset = await host.find(ref, signal);
  const carried = asset === null ? null : readHostMetadata(asset);
  if (carried?.fields.id !== id) return true;
  return carried.mark.state === 'committed' && (await catalog.find(id)) !== null;
}
