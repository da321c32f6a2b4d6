import type { Catalog } from '@holdfast/shared/catalog';
import type { CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { refreshJob, type RefreshPayload } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/shared/logging';
import type { HostAsset } from '@holdfast/shared/media-host';
import type { RedisSandbox } from '@holdfast/shared/testing';
import { createRefreshAssets } from '../../src/refresh/refresh-assets.js';
import { syncDependencies } from '../../src/sync-run/sync-dependencies.js';
import { openSyncRig, type SyncRig, type SyncRigOptions } from './sync-rig.js';

type Change = RefreshPayload['change'];

export interface RefreshRig extends SyncRig {
  cloud: CloudinaryEmulator;
  refresh(change: Change, ...assets: HostAsset[]): Promise<void>;
  /** By a worker with this catalog. */
  refreshOver(catalog: Catalog, change: Change, ...assets: HostAsset[]): Promise<void>;
  /** The last attempt, so many milliseconds after the notification came. */
  lastAttempt(asset: HostAsset, afterMs: number): Promise<void>;
}

/** A worker that gets notifications, and a host. */
export async function openRefreshRig(
  sandbox: RedisSandbox,
  options: SyncRigOptions = {},
): Promise<RefreshRig> {
  const rig = await openSyncRig(sandbox, 'cloudinary', options);
  if (rig.emulator === undefined) throw new Error('no emulator');
  const handler = createRefreshAssets(syncDependencies(rig.parts));
  const run = (
    change: Change,
    assets: HostAsset[],
    attempt: number,
    receivedAt: number,
    refresh = handler,
  ): Promise<void> =>
    refresh(
      refreshJob.parse({
        notification: 'n',
        part: 0,
        change,
        receivedAt,
        assets: assets.map(({ publicId, resourceType, assetId, version }) => ({
          publicId,
          resourceType,
          assetId,
          version,
        })),
      }),
      { signal: new AbortController().signal, attempt, log: silentLogger },
    );
  return {
    ...rig,
    cloud: rig.emulator,
    refresh: (change, ...assets) => run(change, assets, 1, Date.now()),
    refreshOver: (catalog, change, ...assets) =>
      run(change, assets, 1, Date.now(), createRefreshAssets({ ...syncDependencies(rig.parts), catalog })),
    lastAttempt: (asset, afterMs) =>
      run('uploaded', [asset], rig.settings.jobs.attempts, Date.now() - afterMs),
  };
}
