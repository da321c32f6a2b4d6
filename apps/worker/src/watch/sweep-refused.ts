import type { Catalog } from '@holdfast/shared/catalog';
import type { Intents, RefusedAsset, RefusedAssets } from '@holdfast/shared/intents';
import type { Logger } from '@holdfast/shared/logging';
import { idFromPublicId, readHostMetadata } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';

export interface SweepRefusedDependencies {
  refused: RefusedAssets;
  intents: Pick<Intents, 'kill'>;
  catalog: Pick<Catalog, 'find'>;
  host: Pick<MediaHost, 'find' | 'remove'>;
  folder: string;
  log: Logger;
}

const AT_ONCE = 50;
const AGAIN_AFTER_MS = 60_000;
const SPREAD_MS = 60_000;

/** Removes refused uploads from the host that could not be removed when they were refused; tries for ever. */
export async function sweepRefused(deps: SweepRefusedDependencies, signal: AbortSignal): Promise<void> {
  const { refused, log } = deps;
  for (const asset of await refused.due(Date.now(), AT_ONCE)) {
    if (signal.aborted) return;
    try {
      if (await settleRefused(asset, deps, signal)) {
        await refused.done(asset);
        continue;
      }
    } catch (error) {
      log.warn('sweep.refused_left', { publicId: asset.publicId, error });
    }
    await refused.add(asset, Date.now() + AGAIN_AFTER_MS + Math.random() * SPREAD_MS);
  }
}

/** True when nothing is left to do. Assets of others, and media that were accepted after all, are left alone. */
async function settleRefused(
  ref: RefusedAsset,
  { intents, catalog, host, folder, log }: SweepRefusedDependencies,
  signal: AbortSignal,
): Promise<boolean> {
  const id = idFromPublicId(folder, ref.publicId);
  if (id === null) return true;
  // The client may be trying again under the same id: then that upload decides.
  const state = await intents.kill(id);
  if (state === 'live' || state === 'settled') return false;
  const asset = await host.find(ref, signal);
  const carried = asset === null ? null : readHostMetadata(asset);
  if (asset === null || carried?.fields.id !== id) return true;
  if (carried.mark.state === 'committed' && (await catalog.find(id)) !== null) return true;
  await host.remove(ref, signal);
  log.info('sweep.refused_removed', { publicId: ref.publicId });
  return true;
}
