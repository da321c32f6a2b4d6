import {
  editableFields,
  isSameTags,
  recordOf,
  type CarriedFields,
  type EditableFields,
  type MediaRecord,
} from '@holdfast/shared/media';
import type { HostAsset } from '@holdfast/shared/media-host';

/**
 * What the host says about a record that we have: of the asset itself, and what people may edit. How the media came in stays
 * as it was noted then: a mark that says something else was altered, see `isMarkAltered`.
 */
export function asTheHostHasIt(asset: HostAsset, fields: CarriedFields, stored: MediaRecord): MediaRecord {
  const { id, status, persistence, lastError, filename, uploadedBy, source, createdAt } = stored;
  const host = recordOf(asset, fields);
  const checksum = isChecked(stored) ? stored.checksum : host.checksum;
  const ours = { id, status, persistence, lastError, filename, uploadedBy, source, createdAt, checksum };
  return { ...host, ...ours };
}

/** True when people changed on the host what only we write: one revision has one mark. */
export function isMarkAltered(fields: CarriedFields, ours: MediaRecord): boolean {
  const { sha256, md5 } = fields.checksum;
  return (
    (['filename', 'uploadedBy', 'source', 'createdAt', 'updatedAt'] as const).some(
      (name) => fields[name] !== ours[name],
    ) ||
    (isChecked(ours) && (ours.checksum.sha256 !== sha256 || ours.checksum.md5 !== md5))
  );
}

/** Its checksum is that of what was uploaded through us, or with our leave. */
function isChecked({ checksum, source }: MediaRecord): boolean {
  return checksum.sha256 !== null || source === 'direct';
}

/** True when people changed on the host what they may change: one revision has one content, so it was not us. */
export function isEdited(host: EditableFields, ours: EditableFields): boolean {
  return editableFields.some((name) =>
    name === 'tags' ? !isSameTags(host.tags, ours.tags) : host[name] !== ours[name],
  );
}

/** True when the bytes are not those that were uploaded through us, or with our leave. */
export function isContentChanged(asset: HostAsset, ours: MediaRecord): boolean {
  const { md5 } = ours.checksum;
  if (!isChecked(ours)) return false;
  return (asset.etag !== null && md5 !== null && asset.etag !== md5) || asset.bytes !== ours.bytes;
}
