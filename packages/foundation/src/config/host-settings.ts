import { resolve } from 'node:path';
import { refuseExample } from './access-settings.js';
import { parseUrl, unusable } from './read-variable.js';
import type { IsSet, Report, Variables } from './variables.js';

type Hosts = ReturnType<typeof readHosts>;

/** The one media host of this deployment: the local one where no variable names a Cloudinary account. */
export type HostSettings = Hosts['host'];
/** A folder below `DATA_DIR` as the media host. */
export type LocalHostSettings = Hosts['earlierHosts']['local'];
/** Cloudinary as the media host, with the credentials from the settings. */
export type CloudinarySettings = Exclude<HostSettings, LocalHostSettings>;

const DEFAULT_API_URL = 'https://api.cloudinary.com';

type OfCloudinary = Variables['cloudinary'];

/** The configured host, Cloudinary where it is named, and the hosts that the command `move` can copy from. */
export function readHosts(given: OfCloudinary, dataDir: string, isSet: IsSet, problem: Report) {
  const { folder, syncPrefix, webhookSecrets, earlier } = given;
  const local = {
    kind: 'local' as const,
    /** Absolute path of the folder that holds the files. */
    directory: resolve(dataDir, 'media'),
    /** That for files that are not media and are never served, such as snapshots. */
    filesDirectory: resolve(dataDir, 'snapshots'),
    folder,
    syncPrefix,
  };
  const cloudinary = (access: OfCloudinary['access']) =>
    access && { kind: 'cloudinary' as const, ...access, webhookSecrets, folder, syncPrefix };
  const host = cloudinary(given.access ?? readThreeVariables(given, isSet, problem)) ?? local;
  return { host, earlierHosts: { local, cloudinary: cloudinary(earlier) } };
}

export const accountVariables = [
  'CLOUDINARY_CLOUD_NAME',
  'CLOUDINARY_API_KEY',
  'CLOUDINARY_API_SECRET',
] as const;

function readThreeVariables(given: OfCloudinary, isSet: IsSet, problem: Report): OfCloudinary['access'] {
  const missing = accountVariables.filter((name) => !isSet(name));
  if (isSet('CLOUDINARY_URL') || missing.length === accountVariables.length) return undefined;
  for (const name of missing) problem(name, 'is required: the three CLOUDINARY_ variables belong together');
  const { cloudName = '', apiKey = '', apiSecret = '' } = given;
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
export function readCloudinaryUrl(value: string) {
  const parts = /^cloudinary:\/\/([^:@/<>"']+):([^@/<>"']+)@([A-Za-z0-9_-]+)(?:\/[^?]*)?(?:\?(.*))?$/.exec(
    value,
  );
  if (parts === null)
    throw unusable('must look like cloudinary://key:secret@cloud, without quotes or placeholders');
  const [, apiKey = '', apiSecret = '', cloudName = '', query = ''] = parts;
  const options = new URLSearchParams(query);
  /** Where the API is. */
  const apiUrl = (options.get('upload_prefix') ?? DEFAULT_API_URL).replace(/\/+$/, '');
  if (!/^https?:$/.test(parseUrl(apiUrl)?.protocol ?? ''))
    throw unusable('must have an http or https URL as upload_prefix');
  const named = options.get('signature_algorithm') ?? 'sha1';
  const signatureAlgorithm = (['sha1', 'sha256'] as const).find((known) => known === named);
  if (signatureAlgorithm === undefined) throw unusable('must have sha1 or sha256 as signature_algorithm');
  return { apiKey, apiSecret, cloudName, apiUrl, signatureAlgorithm };
}
