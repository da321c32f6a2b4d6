import { textWithoutMark, type Side } from './host-edits.js';
import {
  bindingOf,
  firstFields,
  readHostMetadata,
  type Carried,
  type CarriedFields,
  type HostMetadata,
} from './host-metadata.js';
import { idFromPublicId, idOfFoundAsset, isOwnId } from './media-id.js';
import { unmeasured, type MediaRecord, type MediaSource, type ResourceType } from './media-record.js';

/**
 * The part of an asset that a record is built from; every MediaHost's asset fits. Null means that there is none. Undefined means
 * that the answer left it out, and what is known stays, see `withKnown`.
 */
export interface AssetFacts extends HostMetadata {
  publicId: string;
  resourceType: ResourceType;
  /** Never changes, also when the asset is renamed. */
  assetId: string;
  /** None for raw files. */
  format: string | null | undefined;
  bytes: number;
  width: number | null | undefined;
  height: number | null | undefined;
  durationSeconds: number | null | undefined;
  /** Where the bytes are served. Absolute on Cloudinary; on the local host a path below the API's own address (`/media/…`). */
  url: string;
  /** MD5 of the stored bytes in hex; null where the answer left it out. */
  etag: string | null;
  /** Grows when the bytes are overwritten. */
  version: number;
  /** ISO 8601, one-second granularity on Cloudinary. First creation. */
  createdAt: string;
}

/**
 * The record of an asset, a pure function of what the host keeps: the same asset gives the same record, so an
 * emptied catalog comes back field for field. `source` is what a foreign asset gets when it is first seen;
 * `carried` saves reading the metadata twice.
 */
export function recordFromAsset(
  asset: AssetFacts,
  folder: string,
  source: MediaSource,
  carried: Carried | null = readHostMetadata(asset),
): MediaRecord {
  // Marked with an id that is not the one in its public id: a copy made by others, or a rename; the asset id decides.
  const isOwn =
    carried !== null &&
    (!isNameless(asset, carried.fields.id, folder) || carried.boundTo === bindingOf(folder, asset.assetId));
  return recordOf(asset, isOwn ? carried.fields : foreignFields(asset, source));
}

/** The record of an asset that carries these fields. Without spreads: a sync builds one for each asset, all of one compact shape. */
export function recordOf(asset: AssetFacts, fields: CarriedFields): MediaRecord {
  return {
    id: fields.id,
    status: unmeasured.status,
    publicId: asset.publicId,
    assetId: asset.assetId,
    resourceType: asset.resourceType,
    format: asset.format ?? null,
    bytes: asset.bytes,
    width: asset.width ?? null,
    height: asset.height ?? null,
    durationSeconds: asset.durationSeconds ?? carriedDuration(asset, fields),
    url: asset.url,
    checksum: { sha256: fields.checksum.sha256, md5: fields.checksum.md5 ?? asset.etag },
    filename: fields.filename,
    title: fields.title,
    description: fields.description,
    category: fields.category,
    tags: fields.tags,
    uploadedBy: fields.uploadedBy,
    source: fields.source,
    createdAt: fields.createdAt,
    updatedAt: fields.updatedAt,
    revision: fields.revision,
    persistence: unmeasured.persistence,
    lastError: unmeasured.lastError,
    hostVersion: asset.version,
    pushedRevision: fields.revision,
  };
}

/** Listings leave it out, so the mark of a video carries it. It says nothing about other bytes than those that were marked. */
function carriedDuration({ durationSeconds, etag }: AssetFacts, fields: CarriedFields): number | null {
  return durationSeconds === null || (etag !== null && etag !== fields.checksum.md5)
    ? null
    : fields.durationSeconds;
}

/** What stands for the fields of an asset that others put on the host. */
function foreignFields(asset: AssetFacts, source: MediaSource): CarriedFields {
  const { context } = asset;
  const id = idOfFoundAsset(asset.assetId);
  const baseName = asset.publicId.slice(asset.publicId.lastIndexOf('/') + 1);
  const ending = asset.format ? `.${asset.format}` : '';
  const filename = baseName.endsWith(ending) ? baseName : baseName + ending;
  return {
    ...firstFields({ id, filename, uploadedBy: '', source }, new Date(asset.createdAt)),
    // The two names that Cloudinary's own Media Library offers, besides ours.
    title: context['title'] ?? context['caption'] ?? '',
    description: context['description'] ?? context['alt'] ?? '',
    category: context['category'] ?? '',
    tags: [...asset.tags],
  };
}

/**
 * The asset with what the answer left out filled in from our record, as long as the bytes are the same. Tags are a set, which some
 * answers sort: the order of the record stays.
 */
export function withKnown<Asset extends AssetFacts>(asset: Asset, known: MediaRecord): Asset {
  const tags = isSameTags(asset.tags, known.tags) ? known.tags : asset.tags;
  const isSame =
    asset.assetId === known.assetId && asset.version === known.hostVersion && asset.bytes === known.bytes;
  if (!isSame) return { ...asset, tags };
  const kept = (['format', 'width', 'height', 'durationSeconds'] as const)
    .filter((name) => asset[name] === undefined)
    .map((name) => [name, known[name] ?? undefined]);
  return { ...asset, tags, etag: asset.etag ?? known.checksum.md5, ...Object.fromEntries(kept) };
}

/** Whatever their order. */
export function isSameTags(some: readonly string[], others: readonly string[]): boolean {
  const set = new Set(some);
  return set.size === new Set(others).size && others.every((tag) => set.has(tag));
}

/** The fields of an asset without our mark. Where it had a mark, what is missing went with the mark and is no edit. */
export function fieldsWithoutMark(asset: AssetFacts, ours: MediaRecord): Side {
  const { id, updatedAt } = ours;
  const { context, tags } = asset;
  if (!isOwnId(id) && ours.pushedRevision === 1)
    return { ...foreignFields(asset, 'sync'), id, updatedAt, revision: 0 };
  return {
    id,
    updatedAt,
    revision: 0,
    title: textWithoutMark('title', ours.title, context),
    description: textWithoutMark('description', ours.description, context),
    category: context['category'] || ours.category,
    tags: tags.length > 0 ? [...tags] : ours.tags,
  };
}

/**
 * True for an asset, whose record here is `id`, that another deployment on the same cloud uploaded: its mark and its public id say
 * so. The other deployment rebuilds its record from that mark.
 */
export function isOfAnotherDeployment(
  { publicId }: { publicId: string },
  carried: Pick<Carried, 'fields'> | null,
  id: string,
): carried is Pick<Carried, 'fields'> {
  if (carried === null || carried.fields.id === id || !isOwnId(carried.fields.id)) return false;
  const [name = ''] = publicId.slice(publicId.lastIndexOf('/') + 1).split('.', 1);
  return name === carried.fields.id;
}

/** Our record, at the place where its asset is now: it may have been renamed. The same object where it is there. */
export function atItsPlace(asset: AssetFacts, record: MediaRecord): MediaRecord {
  const { publicId, resourceType, assetId, url, version } = asset;
  const isThere =
    publicId === record.publicId && resourceType === record.resourceType && assetId === record.assetId;
  return isThere ? record : { ...record, publicId, resourceType, assetId, url, hostVersion: version };
}

/** What the mark of a record's asset says of the asset itself: only where its name does not show the id. */
export function bindingIn(record: MediaRecord, folder: string): string | undefined {
  return isNameless(record, record.id, folder) ? bindingOf(folder, record.assetId) : undefined;
}

/** Whether neither the name nor the id of the asset shows the id of the record: of a foreign one, since it was moved from another host. */
export function isNameless(
  asset: Pick<AssetFacts, 'publicId' | 'resourceType' | 'assetId'>,
  id: string,
  folder: string,
): boolean {
  return isOwnId(id) ? idFromPublicId(folder, asset) !== id : id !== idOfFoundAsset(asset.assetId);
}
