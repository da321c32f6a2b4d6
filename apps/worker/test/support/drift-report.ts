import { expect } from 'vitest';
import type { MediaRecord } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';
import type { DriftItem } from '@holdfast/shared/sync';
import type { SyncRig } from './sync-rig.js';

/** The whole report, as long as it is short. */
export const report = (rig: SyncRig) => rig.state.readDrift({ limit: 1_000 });
/** The items without whom they are about. */
export const words = (items: readonly DriftItem[]) =>
  items.map(({ kind, code, action }) => [kind, code, action]);
/** What the report says of one asset. */
export const about = (items: readonly DriftItem[], { assetId }: HostAsset) =>
  items.find((item) => item.assetId === assetId);

/** An edit of the asset's record that was not pushed to the host. */
export async function editHere(rig: SyncRig, asset: HostAsset): Promise<MediaRecord> {
  const record = await rig.find(asset);
  if (record === null) throw new Error('the asset was not adopted');
  const edited = { ...record, title: 'Edited here', revision: 2, updatedAt: new Date().toISOString() };
  expect(await rig.catalog.saveIf(edited, record)).toBe('updated');
  return edited;
}
