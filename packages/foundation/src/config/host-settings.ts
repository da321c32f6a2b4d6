import { resolve } from 'node:path';
import { refuseExample } from './access-settings.js';
import { parseUrl, unusable } from './read-variable.js';
import type { IsSet, Report, Variables } from './variables.js';

/** An account, as CLOUDINARY_URL names it. */
export interface CloudinaryAccess {
  cloudName: string;
  apiKey: string;
  apiSecret: string;
  /** Where the API is, `https://api.cloudinary.com` unless `upload_prefix` says otherwise. */
  apiUrl: string;
  /** What the account accepts; `sha1` unless CLOUDINARY_URL says otherwise. */
  signatureAlgorithm: 'sha1' | 'sha256';
}

/** What is ours on a media host. */
interface HostPlace {
  /** Folder of our own assets, and the name of this deployment on the host. */
  folder: string;
  /** Only assets below this prefix are synced besides our own; empty means all. */
  syncPrefix: string;
}

/** Cloudinary as the media host, with the credentials from the settings. */
export interface CloudinarySettings extends CloudinaryAccess, HostPlace {
  kind: 'cloudinary';
  /** Further secrets that notifications may be signed with. */
  webhookSecrets: readonly string[];
}

/** A folder below `DATA_DIR` as the media host. */
export interface LocalHostSettings extends HostPlace {
  kind: 'local';
  /** Absolute path of the folder that holds the files. */
  directory: string;
  /** Absolute path of the folder for files that are not media and are never served, such as snapshots. */
  filesDirectory: string;
}

/** The one media host of this deployment: the local one where no variable names a Cloudinary account. */
export type HostSettings = CloudinarySettings | LocalHostSettings;

const DEFAULT_API_URL = 'https://api.cloudinary.com';

type OfCloudinary = Variables['cloudinary'];

/** The configured host, Cloudinary where it is named, and the hosts that the command `move` can copy from. */
export function readHosts(given: OfCloudinary, dataDir: string, isSet: IsSet, problem: Report) {
  const { folder, syncPrefix, webhookSecrets, earlier } = given;
  const local: LocalHostSettings = {
    kind: 'local',
    directory: resolve(dataDir, 'media'),
    filesDirectory: resolve(dataDir, 'snapshots'),
    folder,
    syncPrefix,
  };
  const cloudinary = (access: CloudinaryAccess | undefined): CloudinarySettings | undefined =>
    access && { kind: 'cloudinary', ...access, webhookSecrets, folder, syncPrefix };
  const host: HostSettings = cloudinary(given.access ?? readThreeVariables(given, isSet, problem)) ?? local;
  return { host, earlierHosts: { local, cloudinary: cloudinary(earlier) } };
}

export const accountVariables = [
  'CLOUDINARY_CLOUD_NAME',
  'CLOUDINARY_API_KEY',
  'CLOUDINARY_API_SECRET',
] as const;

function readThreeVariables(
  { cloudName = '', apiKey = '', apiSecret = '' }: OfCloudinary,
  isSet: IsSet,
  problem: Report,
): CloudinaryAccess | undefined {
  const missing = accountVariables.filter((name) => !isSet(name));
  if (isSet('CLOUDINARY_URL') || missing.length === accountVariables.length) return undefined;
  for (const name of missing) problem(name, 'is required: the three CLOUDINARY_ variables belong together');
  return { cloudName, apiKey, apiSecret, apiUrl: DEFAULT_API_URL, signatureAlgorithm: 'sha1' };
}

/** Cloudinary's have 27 characters. Anyone who guesses one can send notifications. */
const SHORTEST_SECRET = 8;

export function readWebhookSecret(secret: string, others: readonly string[]): string {
  if (secret.length < SHORTEST_SECRET)
    throw unusable(`must have at least ${String(SHORTEST_SECRET)} characters`);
  refuseExample(secret);
  if (others.includes(secret)) throw unusable('repeats an earlier entry');
  return secret;
}

/**
 * `cloudinary://key:secret@cloud?upload_prefix=…&signature_algorithm=…`. As in the SDK, escapes in key and secret stay as
 * they are.
 */
export function readCloudinaryUrl(value: string): CloudinaryAccess {
  const parts = /^cloudinary:\/\/([^:@/<>"']+):([^@/<>"']+)@([A-Za-z0-9_-]+)(?:\/[^?]*)?(?:\?(.*))?$/.exec(
    value,
  );
  if (parts === null)
    throw unusable('must look like cloudinary://key:secret@cloud, without quotes or placeholders');
  const [, apiKey = '', apiSecret = '', cloudName = '', query = ''] = parts;
  const options = new URLSearchParams(query);
  const apiUrl = (options.get('upload_prefix') ?? DEFAULT_API_URL).replace(/\/+$/, '');
  if (!/^https?:$/.test(parseUrl(apiUrl)?.protocol ?? ''))
    throw unusable('must have an http or https URL as upload_prefix');
  const signatureAlgorithm = options.get('signature_algorithm') ?? 'sha1';
  if (signatureAlgorithm !== 'sha1' && signatureAlgorithm !== 'sha256')
    throw unusable('must have sha1 or sha256 as signature_algorithm');
  return { apiKey, apiSecret, cloudName, apiUrl, signatureAlgorithm };
}
