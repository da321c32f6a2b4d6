import type { Catalog } from '@holdfast/shared/catalog';
import type { CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { refreshJob, type RefreshPayload } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import { writeHostMetadata, type MediaRecord } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import type { RedisSandbox } from '@holdfast/shared/testing';
import { createRefreshAssets } from '../../src/refresh/refresh-assets.js';
import { syncDependencies, type SyncOptions } from '../../src/sync-run/sync-session.js';
import { openSyncRig, type SyncRig, type SyncRigOptions } from './sync-rig.js';

type Change = RefreshPayload['change'];

/** What another worker may have of its own. */
type Others = Partial<SyncOptions & { catalog: Catalog }>;

interface Circumstances {
  attempt?: number;
  receivedAt?: number;
  over?: Others;
}

export interface RefreshRig extends SyncRig {
  cloud: CloudinaryEmulator;
  refresh(change: Change, ...assets: HostAsset[]): Promise<void>;
  /** The same by a worker that differs in something. */
  refreshWith(over: Others, change: Change, ...assets: HostAsset[]): Promise<void>;
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
  const run = (
    change: Change,
    assets: HostAsset[],
    { attempt = 1, receivedAt = Date.now(), over = {} }: Circumstances,
  ): Promise<void> =>
    createRefreshAssets({ ...syncDependencies({ ...rig.parts, ...over }), ...ownCatalog(over) })(
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
    refresh: (change, ...assets) => run(change, assets, {}),
    refreshWith: (over, change, ...assets) => run(change, assets, { over }),
    lastAttempt: (asset, afterMs) =>
      run('uploaded', [asset], { attempt: rig.settings.jobs.attempts, receivedAt: Date.now() - afterMs }),
  };
}

function ownCatalog({ catalog }: Others): { catalog?: Catalog } {
  return catalog === undefined ? {} : { catalog };
}

/** An edit here, as PATCH leaves it once the host has it. */
export async function editHere(rig: RefreshRig, record: MediaRecord, title: string): Promise<MediaRecord> {
  const edited = { ...record, title, revision: record.revision + 1 };
  await rig.catalog.saveIf(edited, record);
  await rig.host.annotate(edited, writeHostMetadata({ mark: { state: 'committed' }, fields: edited }));
  await rig.catalog.notePushed(edited.id, edited.revision);
  return edited;
}
