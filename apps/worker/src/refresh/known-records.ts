import type { Catalog, StoredRecord } from '@holdfast/shared/catalog';
import type { RefreshPayload } from '@holdfast/shared/jobs';
import { idFromPublicId, idOfFoundAsset } from '@holdfast/shared/media';

export type NamedAsset = RefreshPayload['assets'][number];

/** The record of each asset that a notification names, or null. One of another asset that had the name before is none. */
export async function knownRecords(
  assets: readonly NamedAsset[],
  catalog: Pick<Catalog, 'findStored'>,
  folder: string,
): Promise<(StoredRecord | null)[]> {
  const ids = assets.map((asset) => [
    idFromPublicId(folder, asset),
    asset.assetId === null ? null : idOfFoundAsset(asset.assetId),
  ]);
  const all = [...new Set(ids.flat().filter((id) => id !== null))];
  const stored = await catalog.findStored(all);
  const byId = new Map(all.map((id, index) => [id, stored[index] ?? null]));
  return assets.map((asset, index) => {
    const found = (ids[index] ?? []).map((id) => (id === null ? null : (byId.get(id) ?? null)));
    return found.find((entry) => entry !== null && isRecordOf(entry, asset)) ?? null;
  });
}

function isRecordOf({ record }: StoredRecord, { assetId, publicId, resourceType }: NamedAsset): boolean {
  if (assetId !== null) return record.assetId === assetId;
  return record.publicId === publicId && record.resourceType === resourceType;
}
