import type { StoredRecord } from '@holdfast/shared/catalog';
import {
  bindingOf,
  fieldsWithoutMark,
  idFromPublicId,
  idOfFoundAsset,
  isOwnId,
  isSameTags,
  recordFromAsset,
  type CarriedFields,
  type EditableFields,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { AssetRef, HostAsset } from '@holdfast/shared/media-host';

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

/**
 * What the host says about a record that we have: of the asset itself, and what people may edit. How the media came in stays
 * as it was noted then: a mark that says something else was altered, see `isMarkAltered`.
 */
export function asTheHostHasIt(asset: HostAsset, fields: CarriedFields, stored: MediaRecord): MediaRecord {
  const { title, description, category, tags, revision, sha256, md5 } = fields;
  const { publicId, resourceType, assetId, format, bytes, width, height, durationSeconds, url, version } =
    asset;
  return {
    ...stored,
    title,
    description,
    category,
    tags,
    revision,
    updatedAt: fields.updatedAt,
    publicId,
    resourceType,
    assetId,
    format: format ?? null,
    bytes,
    width: width ?? null,
    height: height ?? null,
    durationSeconds: durationSeconds ?? null,
    url,
    hostVersion: version,
    checksum: isChecked(stored) ? stored.checksum : { sha256, md5: md5 ?? asset.etag },
    pushedRevision: revision,
  };
}

/** True when people changed on the host what only we write: one revision has one mark. */
export function isMarkAltered(fields: CarriedFields, ours: MediaRecord): boolean {
  const { sha256, md5 } = ours.checksum;
  return (
    fields.filename !== ours.filename ||
    fields.uploadedBy !== ours.uploadedBy ||
    fields.source !== ours.source ||
    fields.createdAt !== ours.createdAt ||
    fields.updatedAt !== ours.updatedAt ||
    (isChecked(ours) && (fields.sha256 !== sha256 || fields.md5 !== md5))
  );
}

/** Its checksum is that of what was uploaded through us, or with our leave. */
function isChecked({ checksum, source }: MediaRecord): boolean {
  return checksum.sha256 !== null || source === 'direct';
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

/** What people wrote on an asset that has lost our mark. */
export function editsWithoutMark(asset: HostAsset, ours: MediaRecord): Partial<EditableFields> {
  const { title, description, category, tags } = fieldsWithoutMark(asset, ours);
  return isEdited({ title, description, category, tags }, ours) ? { title, description, category, tags } : {};
}

/** True when people changed on the host what they may change: one revision has one content, so it was not us. */
export function isEdited(host: EditableFields, ours: EditableFields): boolean {
  return (
    host.title !== ours.title ||
    host.description !== ours.description ||
    host.category !== ours.category ||
    !isSameTags(host.tags, ours.tags)
  );
}

/** True when the bytes are not those that were uploaded through us, or with our leave. */
export function isContentChanged(asset: HostAsset, ours: MediaRecord): boolean {
  const { md5 } = ours.checksum;
  if (!isChecked(ours)) return false;
  return asset.etag !== null && md5 !== null && asset.etag !== md5 ? true : asset.bytes !== ours.bytes;
}

/** What the mark of a record's asset says of the asset itself: only where its name does not show the id. */
export function bindingIn(record: MediaRecord, folder: string): { boundTo?: string } {
  return isNameless(record, record.id, folder) ? { boundTo: bindingOf(folder, record.assetId) } : {};
}

/** Whether neither the name nor the id of the asset shows the id of the record: of a foreign one, since it was moved from another host. */
export function isNameless(asset: AssetRef & { assetId: string }, id: string, folder: string): boolean {
  return isOwnId(id) ? idFromPublicId(folder, asset) !== id : id !== idOfFoundAsset(asset.assetId);
}
