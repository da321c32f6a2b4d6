import { createHash } from 'node:crypto';
import type { Account, Settings } from '../settings.js';
import { responseSignature } from '../signature.js';
import type { Asset } from './asset.js';

/** What fields depend on besides the asset. */
export interface FieldSource {
  account: Account;
  settings: Settings;
  answer: Answer;
}

/** The sorts of answers, which show the same asset differently. */
export type Answer = 'upload' | 'list' | 'search' | 'details';

type Field = (asset: Asset, source: FieldSource) => unknown;

const dynamicOnly =
  (field: Field): Field =>
  (asset, source) =>
    source.settings.folderMode === 'dynamic' ? field(asset, source) : undefined;

/** Every field of the API's answers about assets; undefined leaves it out. */
export const assetFields = {
  asset_id: (asset) => asset.assetId,
  public_id: (asset) => asset.publicId,
  version: (asset) => asset.version,
  version_id: (asset) => createHash('md5').update(asset.assetId).update(String(asset.version)).digest('hex'),
  signature: (asset, { account, settings }) =>
    responseSignature(asset, account.apiSecret, settings.signatureAlgorithm ?? 'sha1'),
  width: (asset) => asset.width ?? undefined,
  height: (asset) => asset.height ?? undefined,
  pixels: ({ width, height }) => (width === null || height === null ? undefined : width * height),
  format: (asset) => asset.format ?? undefined,
  resource_type: (asset) => asset.resourceType,
  type: (asset) => asset.type,
  created_at: (asset) => isoSeconds(asset.createdAt),
  uploaded_at: (asset) => isoSeconds(asset.uploadedAt),
  last_updated: lastUpdated,
  tags: tagsAs,
  context: (asset, source) => notEmpty(asset.context, (pairs) => contextAs(pairs, source)),
  metadata: (asset) => notEmpty(asset.metadata, (metadata) => metadata),
  pages: (asset) => (asset.resourceType === 'raw' ? undefined : Number(asset.resourceType === 'image')),
  bytes: (asset) => asset.bytes,
  backup_bytes: () => 0,
  etag: (asset) => asset.etag,
  placeholder: (asset) => asset.placeholder === true,
  status: () => 'active',
  access_mode: () => 'public',
  derived: () => [],
  url: (asset, { account }) => secureUrl(asset, account),
  secure_url: (asset, { account }) => secureUrl(asset, account),
  folder: (asset, { settings }) => (settings.folderMode === 'fixed' ? folderOf(asset) : undefined),
  asset_folder: dynamicOnly((asset) => asset.assetFolder),
  display_name: dynamicOnly((asset) => asset.displayName),
  filename: (asset) => asset.publicId.slice(asset.publicId.lastIndexOf('/') + 1),
  is_audio: (asset) => (asset.resourceType === 'video' ? false : undefined),
  duration: (asset, { answer, settings }) =>
    answer === 'list' || (answer === 'search' && !settings.searchShowsDuration)
      ? undefined
      : (asset.duration ?? undefined),
  original_filename: (asset) => asset.originalFilename,
  api_key: (_asset, { account }) => account.apiKey,
} as const satisfies Record<string, Field>;

export type FieldName = keyof typeof assetFields;

/** `2021-04-15T16:45:46Z`, from unix seconds. */
export function isoSeconds(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

/** Address under which the emulator serves the bytes. */
function secureUrl(asset: Asset, account: Account): string {
  const path = asset.publicId.split('/').map(encodeURIComponent).join('/');
  const extension = asset.format === null ? '' : `.${asset.format}`;
  return `${account.url}/${account.cloudName}/${asset.resourceType}/${asset.type}/v${asset.version}/${path}${extension}`;
}

function folderOf({ publicId }: Asset): string {
  return publicId.slice(0, Math.max(publicId.lastIndexOf('/'), 0));
}

/** Only the answer to an upload has them where there are none. */
function tagsAs({ tags }: Asset, { answer, settings: { tagOrder } }: FieldSource): unknown {
  if (tags.length === 0 && answer !== 'upload') return undefined;
  const isSorted = tagOrder === 'sorted' || (tagOrder === 'sorted in details' && answer === 'details');
  return isSorted ? tags.toSorted() : tags;
}

function contextAs(pairs: Asset['context'], { answer, settings: { contextShape } }: FieldSource): unknown {
  const usual = answer === 'search' ? 'flat' : 'nested';
  const shape = contextShape === 'usual' ? usual : contextShape;
  if (shape === 'pairs') return Object.entries(pairs).map(([key, value]) => ({ key, value }));
  return shape === 'flat' ? pairs : { custom: pairs };
}

function notEmpty<T extends object>(pairs: T, show: (pairs: T) => unknown): unknown {
  return Object.keys(pairs).length === 0 ? undefined : show(pairs);
}

function lastUpdated(asset: Asset): Record<string, string> {
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
