import { createHash } from 'node:crypto';
import type { Account, Settings } from '../settings.js';
import { responseSignature } from '../signature.js';
import type { Asset } from './asset.js';

/** An asset as some answer of the API shows it. */
export type AssetJson = Record<string, unknown>;

/** `2021-04-15T16:45:46Z`, from unix seconds. */
export function isoSeconds(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

/** Address under which the emulator serves the bytes. */
export function secureUrl(asset: Asset, account: Account): string {
  const path = asset.publicId.split('/').map(encodeURIComponent).join('/');
  const extension = asset.format === null ? '' : `.${asset.format}`;
  return `${account.url}/${account.cloudName}/${asset.resourceType}/${asset.type}/v${asset.version}/${path}${extension}`;
}

/** The answer to upload, explicit and rename; also the body of the upload notification. */
export function uploadJson(asset: Asset, account: Account, settings: Settings): AssetJson {
  const url = secureUrl(asset, account);
  return {
    asset_id: asset.assetId,
    public_id: asset.publicId,
    version: asset.version,
    version_id: versionId(asset),
    signature: responseSignature(asset, account.apiSecret, settings.signatureAlgorithm ?? 'sha1'),
    ...dimensions(asset),
    ...(asset.format === null ? {} : { format: asset.format }),
    resource_type: asset.resourceType,
    created_at: isoSeconds(asset.createdAt),
    tags: asset.tags,
    ...(asset.resourceType === 'raw' ? {} : { pages: asset.resourceType === 'image' ? 1 : 0 }),
    bytes: asset.bytes,
    type: asset.type,
    etag: asset.etag,
    placeholder: false,
    url,
    secure_url: url,
    ...folders(asset, settings),
    ...videoFields(asset),
    original_filename: asset.originalFilename,
    ...extras(asset, { context: true, metadata: true }),
    api_key: account.apiKey,
  };
}

/** Which optional parts a listing was asked for. */
export interface Extras {
  tags?: boolean;
  context?: boolean;
  metadata?: boolean;
}

/** An item of a listing. */
export function listJson(asset: Asset, account: Account, settings: Settings, extra: Extras): AssetJson {
  const url = secureUrl(asset, account);
  return {
    asset_id: asset.assetId,
    public_id: asset.publicId,
    ...(asset.format === null ? {} : { format: asset.format }),
    version: asset.version,
    resource_type: asset.resourceType,
    type: asset.type,
    created_at: isoSeconds(asset.createdAt),
    bytes: asset.bytes,
    ...dimensions(asset),
    ...folders(asset, settings),
    access_mode: 'public',
    url,
    secure_url: url,
    ...extras(asset, extra),
  };
}

/** A listing item plus what has to be asked for by `fields`. */
export function fullJson(asset: Asset, account: Account, settings: Settings): AssetJson {
  return {
    ...listJson(asset, account, settings, { tags: true, context: true, metadata: true }),
    etag: asset.etag,
    uploaded_at: isoSeconds(asset.uploadedAt),
    status: 'active',
    filename: asset.publicId.slice(asset.publicId.lastIndexOf('/') + 1),
    version_id: versionId(asset),
    backup_bytes: 0,
    ...(asset.width === null || asset.height === null ? {} : { pixels: asset.width * asset.height }),
    ...(asset.duration === null ? {} : { duration: asset.duration }),
    display_name: asset.displayName,
    asset_folder: asset.assetFolder,
    original_filename: asset.originalFilename,
    last_updated: lastUpdated(asset),
  };
}

/** An item of a search page. */
export function searchJson(asset: Asset, account: Account, settings: Settings, extra: Extras): AssetJson {
  const full = fullJson(asset, account, settings);
  if (extra.tags !== true) delete full['tags'];
  if (extra.context !== true) delete full['context'];
  if (extra.metadata !== true) delete full['metadata'];
  return full;
}

/** The answer for a single asset. */
export function detailJson(asset: Asset, account: Account, settings: Settings): AssetJson {
  return { ...fullJson(asset, account, settings), tags: asset.tags, derived: [], next_cursor: undefined };
}

/** Keeps the named fields, and what identifies an asset. */
export function pickFields(json: AssetJson, fields: readonly string[]): AssetJson {
  const wanted = new Set([...fields, 'public_id', 'resource_type', 'type']);
  return Object.fromEntries(Object.entries(json).filter(([name]) => wanted.has(name)));
}

function lastUpdated(asset: Asset): AssetJson {
  const stamps: [string, number | null][] = [
    ['public_id_updated_at', asset.publicIdUpdatedAt],
    ['tags_updated_at', asset.tagsUpdatedAt],
    ['context_updated_at', asset.contextUpdatedAt],
    ['metadata_updated_at', asset.metadataUpdatedAt],
    ['updated_at', asset.updatedAt],
  ];
  return Object.fromEntries(
    stamps.flatMap(([name, seconds]) => (seconds === null ? [] : [[name, isoSeconds(seconds)]])),
  );
}

function extras(asset: Asset, extra: Extras): AssetJson {
  const { context, metadata } = asset;
  return {
    ...(extra.tags === true ? { tags: asset.tags } : {}),
    ...(extra.context === true && Object.keys(context).length > 0 ? { context: { custom: context } } : {}),
    ...(extra.metadata === true && Object.keys(metadata).length > 0 ? { metadata } : {}),
  };
}

function dimensions(asset: Asset): AssetJson {
  return asset.width === null || asset.height === null ? {} : { width: asset.width, height: asset.height };
}

function folders(asset: Asset, settings: Settings): AssetJson {
  if (settings.folderMode === 'dynamic') {
    return { asset_folder: asset.assetFolder, display_name: asset.displayName };
  }
  return {
    folder: asset.publicId.includes('/') ? asset.publicId.slice(0, asset.publicId.lastIndexOf('/')) : '',
  };
}

function videoFields(asset: Asset): AssetJson {
  if (asset.resourceType !== 'video') return {};
  return { is_audio: false, ...(asset.duration === null ? {} : { duration: asset.duration }) };
}

function versionId(asset: Asset): string {
  return createHash('md5').update(asset.assetId).update(String(asset.version)).digest('hex');
}
