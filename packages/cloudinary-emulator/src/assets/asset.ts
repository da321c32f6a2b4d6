/** The three kinds that Cloudinary stores; audio is `video`. */
export type ResourceType = 'image' | 'video' | 'raw';

/**
 * One stored asset. Never changed in place: every edit makes a new object, so that the search index may
 * keep an older one. Times are unix seconds, as the API has no finer ones.
 */
export interface Asset {
  /** 32 hex digits; survives overwrite and rename. */
  readonly assetId: string;
  readonly resourceType: ResourceType;
  /** Delivery type: upload, private, authenticated. */
  readonly type: string;
  readonly publicId: string;
  /** Absent for raw. */
  readonly format: string | null;
  readonly bytes: number;
  /** MD5 of the stored bytes, hex. */
  readonly etag: string;
  readonly width: number | null;
  readonly height: number | null;
  /** Seconds; null where it was not cheap to find out. */
  readonly duration: number | null;
  readonly createdAt: number;
  readonly uploadedAt: number;
  /** Strictly increasing with every upload of this asset; unix seconds of the upload where possible. */
  readonly version: number;
  readonly updatedAt: number;
  readonly publicIdUpdatedAt: number | null;
  readonly tagsUpdatedAt: number | null;
  readonly contextUpdatedAt: number | null;
  readonly metadataUpdatedAt: number | null;
  readonly tags: readonly string[];
  readonly context: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly originalFilename: string;
  readonly assetFolder: string;
  readonly displayName: string;
  /** Order of creation; the tie-breaker of every ordering. */
  readonly seq: number;
  /** Only a backup is left of it. */
  readonly placeholder?: true;
  /** Where the bytes rest; null when they were discarded or are made on demand. */
  readonly blob: string | null;
}

/** A plain copy with changes. Spelled out because a synthetic asset keeps its fields on its prototype. */
export function changeAsset(asset: Asset, changes: Partial<Asset>): Asset {
  return {
    assetId: asset.assetId,
    resourceType: asset.resourceType,
    type: asset.type,
    publicId: asset.publicId,
    format: asset.format,
    bytes: asset.bytes,
    etag: asset.etag,
    width: asset.width,
    height: asset.height,
    duration: asset.duration,
    createdAt: asset.createdAt,
    uploadedAt: asset.uploadedAt,
    version: asset.version,
    updatedAt: asset.updatedAt,
    publicIdUpdatedAt: asset.publicIdUpdatedAt,
    tagsUpdatedAt: asset.tagsUpdatedAt,
    contextUpdatedAt: asset.contextUpdatedAt,
    metadataUpdatedAt: asset.metadataUpdatedAt,
    tags: asset.tags,
    context: asset.context,
    metadata: asset.metadata,
    originalFilename: asset.originalFilename,
    assetFolder: asset.assetFolder,
    displayName: asset.displayName,
    seq: asset.seq,
    blob: asset.blob,
    ...changes,
  };
}
