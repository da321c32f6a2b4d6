import type { StoredRecord } from '@holdfast/shared/catalog';
import { recordFromAsset, type CarriedFields, type MediaRecord } from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';

/** The record of this very asset, also when it was renamed or lost its mark; else the one with the id it would get. */
export function pickStored(
  asset: HostAsset,
  ids: readonly string[],
  records: ReadonlyMap<string, StoredRecord>,
  freshId: string,
): StoredRecord | null {
  for (const id of ids) {
    const stored = records.get(id);
    if (stored?.record.assetId === asset.assetId) return stored;
  }
  return records.get(freshId) ?? null;
}

/** What the host says about a record that we have; `fresh` where the asset still has the place that its id tells. */
export function asTheHostHasIt(
  asset: HostAsset,
  fresh: MediaRecord,
  fields: CarriedFields,
  stored: MediaRecord,
): MediaRecord {
  if (fresh.id === stored.id) return fresh;
  const { sha256, md5, ...rest } = fields;
  const { publicId, resourceType, assetId, format, bytes, width, height, durationSeconds, url, version } =
    asset;
  return {
    ...stored,
    ...rest,
    publicId,
    resourceType,
    assetId,
    format,
    bytes,
    width,
    height,
    durationSeconds,
    url,
    hostVersion: version,
    checksum: { sha256, md5: md5 ?? asset.etag },
    pushedRevision: fields.revision,
  };
}

/** Our record, at the place where its asset is now: it may have been renamed. */
export function atItsPlace(asset: HostAsset, record: MediaRecord): MediaRecord {
  const { publicId, resourceType, assetId, url, version } = asset;
  return isAtItsPlace(asset, record)
    ? record
    : { ...record, publicId, resourceType, assetId, url, hostVersion: version };
}

export function isAtItsPlace(asset: HostAsset, record: MediaRecord): boolean {
  return (
    asset.publicId === record.publicId &&
    asset.resourceType === record.resourceType &&
    asset.assetId === record.assetId
  );
}

/** The record of a foreign asset, which keeps how it first came in. */
export function foreignRecord(asset: HostAsset, folder: string, stored: MediaRecord): MediaRecord {
  return recordFromAsset(asset, folder, stored.source);
}

/** True when people changed on the host what they may change: one revision has one content, so it was not us. */
export function isEdited(host: MediaRecord, ours: MediaRecord): boolean {
  return (
    host.title !== ours.title ||
    host.description !== ours.description ||
    host.category !== ours.category ||
    host.tags.length !== ours.tags.length ||
    // The host may keep tags in an order of its own.
    host.tags.toSorted().join() !== ours.tags.toSorted().join()
  );
}

/** True when the bytes are not those that were uploaded through us, or with our leave. */
export function isContentChanged(asset: HostAsset, ours: MediaRecord): boolean {
  const { sha256, md5 } = ours.checksum;
  if (sha256 === null && ours.source !== 'direct') return false;
  return asset.etag !== null && md5 !== null && asset.etag !== md5 ? true : asset.bytes !== ours.bytes;
}
