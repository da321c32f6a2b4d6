import type { CloudinarySettings } from '../../config/index.js';
import type { HostMetadata, ResourceType } from '../../media/index.js';
import { encodeContext } from './encode-context.js';
import { loadSdk } from './sdk.js';

/** One upload that a client may make in our name, see `signUpload`. */
export interface UploadToSign {
  publicId: string;
  /** `auto` lets the host decide from the bytes. Not covered by the signature. */
  resourceType: ResourceType | 'auto';
  metadata: HostMetadata;
  /** Whether the account has folders that assets can be put into, and names to show them by. */
  isPlaced: boolean;
  /** The host refuses other formats; empty = all are welcome. */
  allowedFormats: readonly string[];
  /** Unix seconds. The host takes the signature for one hour from then on. */
  timestamp: number;
}

/** What a client posts, with the file added, and where to. */
export interface SignedUpload {
  url: string;
  fields: Readonly<Record<string, string>>;
}

/**
 * Parameters for one upload by somebody who does not know our secret. Every field but the file is signed in the very text
 * that is posted, so nothing of it can be changed; what is there already is never replaced.
 */
export function signUpload(settings: CloudinarySettings, upload: UploadToSign): SignedUpload {
  const { utils } = loadSdk(settings.apiUrl);
  const { publicId, resourceType, metadata, isPlaced, allowedFormats, timestamp } = upload;
  const { displayName } = metadata;
  const params: Record<string, string> = {
    timestamp: String(timestamp),
    public_id: publicId,
    overwrite: 'false',
    context: encodeContext(metadata.context),
    ...(metadata.tags.length === 0 ? {} : { tags: metadata.tags.join(',') }),
    ...(isPlaced ? { asset_folder: settings.folder } : {}),
    ...(isPlaced && displayName !== undefined ? { display_name: displayName } : {}),
    ...(allowedFormats.length === 0 ? {} : { allowed_formats: allowedFormats.join(',') }),
  };
  const signature = utils.api_sign_request(params, settings.apiSecret, settings.signatureAlgorithm, 2);
  return {
    url: `${settings.apiUrl}/v1_1/${settings.cloudName}/${resourceType}/upload`,
    fields: { ...params, api_key: settings.apiKey, signature },
  };
}
