import { resolve } from 'node:path';
import type { FieldProblem } from '../errors/index.js';
import { EXAMPLE_SECRET, isExampleSecret, ofEntry } from './access-settings.js';
import { parseUrl, type Variables } from './variables.js';

/** Cloudinary as the media host, with the credentials from the settings. */
export interface CloudinarySettings {
  kind: 'cloudinary';
  cloudName: string;
  apiKey: string;
  apiSecret: string;
  /** Where the API is, `https://api.cloudinary.com` unless `upload_prefix` says otherwise. */
  apiUrl: string;
  /** What the account accepts; `sha1` unless CLOUDINARY_URL says otherwise. */
  signatureAlgorithm: 'sha1' | 'sha256';
  /** Further secrets that notifications may be signed with. */
  webhookSecrets: readonly string[];
  /** Folder of our own assets, and the name of this deployment on the host. */
  folder: string;
  /** Only assets below this prefix are synced besides our own; empty means all. */
  syncPrefix: string;
}

/** A folder below `DATA_DIR` as the media host. */
export interface LocalHostSettings {
  kind: 'local';
  /** Absolute path of the folder that holds the files. */
  directory: string;
  /** Absolute path of the folder for files that are not media and are never served, such as snapshots. */
  filesDirectory: string;
  /** Both as in CloudinarySettings. */
  folder: string;
  syncPrefix: string;
}

/** The one media host of this deployment: the local one where no variable names a Cloudinary account. */
export type HostSettings = CloudinarySettings | LocalHostSettings;

const DEFAULT_API_URL = 'https://api.cloudinary.com';

/** Cloudinary where it is configured, else the local folder. */
export function readHostSettings(env: Variables, problem: (p: FieldProblem) => void): HostSettings {
  const place = { folder: env.CLOUDINARY_FOLDER, syncPrefix: env.CLOUDINARY_SYNC_PREFIX };
  const webhookSecrets = readWebhookSecrets(env.CLOUDINARY_WEBHOOK_SECRETS, problem);
  if (env.CLOUDINARY_URL !== undefined)
    return {
      kind: 'cloudinary',
      ...readCloudinaryUrl(env.CLOUDINARY_URL, problem),
      webhookSecrets,
      ...place,
    };
  const parts = {
    CLOUDINARY_CLOUD_NAME: env.CLOUDINARY_CLOUD_NAME,
    CLOUDINARY_API_KEY: env.CLOUDINARY_API_KEY,
    CLOUDINARY_API_SECRET: env.CLOUDINARY_API_SECRET,
  };
  const missing = Object.entries(parts).filter(([, value]) => value === undefined);
  if (missing.length === 3) {
    const directory = resolve(env.DATA_DIR, 'media');
    return { kind: 'local', directory, filesDirectory: resolve(env.DATA_DIR, 'snapshots'), ...place };
  }
  for (const [path] of missing)
    problem({ path, message: 'is required: the three CLOUDINARY_ variables belong together' });
  return {
    kind: 'cloudinary',
    cloudName: parts.CLOUDINARY_CLOUD_NAME ?? '',
    apiKey: parts.CLOUDINARY_API_KEY ?? '',
    apiSecret: parts.CLOUDINARY_API_SECRET ?? '',
    apiUrl: DEFAULT_API_URL,
    signatureAlgorithm: 'sha1',
    webhookSecrets,
    ...place,
  };
}

/** Cloudinary's have 27 characters. Anyone who guesses one can send notifications. */
const SHORTEST_SECRET = 8;

function readWebhookSecrets(
  secrets: readonly string[],
  problem: (p: FieldProblem) => void,
): readonly string[] {
  for (const [index, secret] of secrets.entries()) {
    const unusable = (message: string): void =>
      problem(ofEntry('CLOUDINARY_WEBHOOK_SECRETS', index, message));
    if (secret.length < SHORTEST_SECRET) unusable(`must have at least ${String(SHORTEST_SECRET)} characters`);
    else if (isExampleSecret(secret)) unusable(EXAMPLE_SECRET);
    if (secrets.indexOf(secret) < index) unusable('repeats an earlier entry');
  }
  return secrets;
}

type CloudinaryAccess = Omit<CloudinarySettings, 'kind' | 'webhookSecrets' | 'folder' | 'syncPrefix'>;

/**
 * `cloudinary://key:secret@cloud?upload_prefix=…&signature_algorithm=…`. As in the SDK, escapes in key and secret stay as
 * they are.
 */
function readCloudinaryUrl(value: string, problem: (p: FieldProblem) => void): CloudinaryAccess {
  const path = 'CLOUDINARY_URL';
  const parts = /^cloudinary:\/\/([^:@/<>"']+):([^@/<>"']+)@([A-Za-z0-9_-]+)(?:\/[^?]*)?(?:\?(.*))?$/.exec(
    value,
  );
  if (parts === null) {
    problem({
      path,
      message: 'must look like cloudinary://key:secret@cloud, without quotes or placeholders',
    });
  }
  const query = new URLSearchParams(parts?.[4] ?? '');
  const apiUrl = (query.get('upload_prefix') ?? DEFAULT_API_URL).replace(/\/+$/, '');
  const parsed = parseUrl(apiUrl);
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    problem({ path, message: 'upload_prefix must be an http or https URL' });
  const algorithm = query.get('signature_algorithm') ?? 'sha1';
  if (algorithm !== 'sha1' && algorithm !== 'sha256')
    problem({ path, message: 'signature_algorithm must be sha1 or sha256' });
  return {
    apiKey: parts?.[1] ?? '',
    apiSecret: parts?.[2] ?? '',
    cloudName: parts?.[3] ?? '',
    apiUrl,
    signatureAlgorithm: algorithm === 'sha256' ? 'sha256' : 'sha1',
  };
}
