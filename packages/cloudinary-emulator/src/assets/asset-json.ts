import { ApiError } from '../api-error.js';
import type { Account, Settings } from '../settings.js';
import { assetFields, type FieldName, type FieldSource } from './asset-fields.js';
import type { Asset } from './asset.js';

/** An asset as some answer of the API shows it. */
export type AssetJson = Record<string, unknown>;

const identity = ['asset_id', 'public_id'] as const;
const addresses = ['url', 'secure_url'] as const;

/** The answer to upload, explicit and rename; also the body of the upload notification. */
const uploadFields: readonly FieldName[] = [
  ...identity,
  'version',
  'version_id',
  'signature',
  'width',
  'height',
  'format',
  'resource_type',
  'created_at',
  'tags',
  'pages',
  'bytes',
  'type',
  'etag',
  'placeholder',
  ...addresses,
  'folder',
  'asset_folder',
  'display_name',
  'is_audio',
  'duration',
  'original_filename',
  'context',
  'metadata',
  'api_key',
];

/** An item of a listing; tags, context and metadata only on request. */
const listFields: readonly FieldName[] = [
  ...identity,
  'format',
  'version',
  'resource_type',
  'type',
  'created_at',
  'bytes',
  'width',
  'height',
  'folder',
  'asset_folder',
  'display_name',
  'access_mode',
  ...addresses,
];

/** What search shows, and listings only when asked by `fields`. */
const searchFields: readonly FieldName[] = [
  ...listFields,
  'etag',
  'uploaded_at',
  'status',
  'filename',
  'version_id',
  'backup_bytes',
  'pixels',
  'duration',
  'last_updated',
];

const detailFields: readonly FieldName[] = [
  ...searchFields,
  'original_filename',
  'tags',
  'context',
  'metadata',
  'derived',
];
/** What named fields come with. */
const always: Record<'list' | 'search', readonly FieldName[]> = {
  list: [...identity, 'folder', 'asset_folder'],
  search: [...identity, 'folder', 'asset_folder', 'created_at', 'status', 'type', 'resource_type'],
};

/** Which optional parts a listing was asked for. */
export interface Extras {
  tags: boolean;
  context: boolean;
  metadata: boolean;
}

export function uploadJson(asset: Asset, account: Account, settings: Settings): AssetJson {
  return shape(uploadFields, asset, { account, settings, answer: 'upload' });
}

export function listJson(asset: Asset, account: Account, settings: Settings, extra: Extras): AssetJson {
  return shape([...listFields, ...extraFields(extra)], asset, { account, settings, answer: 'list' });
}

export function searchJson(asset: Asset, account: Account, settings: Settings, extra: Extras): AssetJson {
  return shape([...searchFields, ...extraFields(extra)], asset, { account, settings, answer: 'search' });
}

/** The answer for a single asset. */
export function detailJson(asset: Asset, account: Account, settings: Settings): AssetJson {
  return shape(detailFields, asset, { account, settings, answer: 'details' });
}

/** Only the named fields, and what always comes with them. */
export function pickedJson(
  asset: Asset,
  account: Account,
  settings: Settings,
  names: readonly FieldName[],
  answer: 'list' | 'search',
): AssetJson {
  return shape([...always[answer], ...names], asset, { account, settings, answer });
}

/** The names in `fields` that the account knows. Throws a 400 for others where they are refused. */
export function knownFields(
  names: readonly string[],
  { unknownFields, unlistedFields }: Settings,
): FieldName[] {
  const known = names.filter(
    (name): name is FieldName => Object.hasOwn(assetFields, name) && !unlistedFields.includes(name),
  );
  if (known.length < names.length && unknownFields !== 'ignored')
    throw new ApiError(400, unknownFields.refusedWith);
  return known;
}

function shape(names: readonly FieldName[], asset: Asset, source: FieldSource): AssetJson {
  const json: AssetJson = {};
  for (const name of names) {
    const value = assetFields[name](asset, source);
    if (value !== undefined) json[name] = value;
  }
  return json;
}

function extraFields(extra: Extras): FieldName[] {
  return (['tags', 'context', 'metadata'] as const).filter((name) => extra[name]);
}
