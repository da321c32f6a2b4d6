import type { CloudinarySettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { HostMetadata, ResourceType } from '../../media/index.js';
import type { AssetRef } from '../media-host.js';
import { credentialsOf, loadSdk } from './sdk.js';

/** One upload that a client may make in our name, see `signUpload`. */
export interface UploadToSign {
  publicId: string;
  /** `auto` lets the host decide from the bytes. Not covered by the signature. */
  resourceType: ResourceType | 'auto';
  metadata: HostMetadata;
  /** Whether the account has folders that assets can be put into, and names to show them by. */
  isPlaced: boolean;
  /** Unix seconds. The host takes the signature for one hour from then on. */
  timestamp: number;
}

/** What a client posts, with the file added, and where. */
export interface SignedUpload {
  url: string;
  fields: Readonly<Record<string, string>>;
}

/**
 * Parameters for one upload by a client that does not know our secret. Every field but the file is signed in the very text
 * that is posted, so nothing of it can be changed; what is there already is never replaced.
 */
export function signUpload(settings: CloudinarySettings, upload: UploadToSign): SignedUpload {
  const { utils } = loadSdk(settings.apiUrl);
  const { publicId, resourceType, metadata, isPlaced, timestamp } = upload;
  const { displayName } = metadata;
  const params: Record<string, string> = {
    timestamp: String(timestamp),
    public_id: publicId,
    overwrite: 'false',
    context: encodeContext(metadata.context),
    ...(metadata.tags.length === 0 ? {} : { tags: metadata.tags.join(',') }),
    ...(isPlaced ? { asset_folder: settings.folder } : {}),
    ...(isPlaced && displayName !== undefined ? { display_name: displayName } : {}),
  };
  const signature = utils.api_sign_request(params, settings.apiSecret, settings.signatureAlgorithm, 2);
  return {
    url: `${settings.apiUrl}/v1_1/${settings.cloudName}/${resourceType}/upload`,
    fields: { ...params, api_key: settings.apiKey, signature },
  };
}

/** An address of the API that gives the bytes for an hour, whatever the account delivers publicly. */
export function signedAddress(
  settings: CloudinarySettings,
  { publicId, resourceType }: AssetRef,
  type: 'upload' | 'authenticated',
  format = '',
): string {
  return loadSdk(settings.apiUrl).utils.private_download_url(publicId, format, {
    ...credentialsOf(settings),
    resource_type: resourceType,
    type,
  });
}

/**
 * Context in the form that the host reads: `k=v|k2=v2`. A backslash there escapes only `=` and `|` (docs/decisions/0022), so any
 * other one is sent as it is. At the end of a value it would escape the separator, so such a pair goes last. The SDK passes a
 * text on unchanged, and would order pairs as they come. Throws HOST_CONTEXT_UNWRITABLE for what no text stands for.
 */
export function encodeContext(context: Readonly<Record<string, string>>): string {
  const pairs: string[] = [];
  let last: string | undefined;
  for (const [key, value] of Object.entries(context)) {
    // No client library escapes keys; whether the host would undo it is not known.
    if (/[=|\\]/.test(key)) unwritable(key);
    const pair = `${key}=${value.replaceAll(/[=|]/g, String.raw`\$&`)}`;
    if (!value.endsWith('\\')) pairs.push(pair);
    else if (last === undefined) last = pair;
    else unwritable(key);
  }
  return (last === undefined ? pairs : [...pairs, last]).join('|');
}

function unwritable(key: string): never {
  throw new HoldfastError(
    'HOST_CONTEXT_UNWRITABLE',
    `the context key ${JSON.stringify(key)} on the asset cannot be written back as it is`,
  );
}
