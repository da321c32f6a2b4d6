import { createReadStream } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import type { CloudinarySettings, HostSettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { type CloudinaryHostOptions, createCloudinaryHost } from './cloudinary/cloudinary-host.js';
import { loadSdk } from './cloudinary/sdk.js';
import { toHostError } from './cloudinary/connection.js';
import { guardHost } from './guarded-host.js';
import { createLocalHost } from './local/local-host.js';
import { openLocalFile } from './local/open-local-file.js';
import type { HostAsset, MediaHost } from './media-host.js';

/** What a media host needs of the process that uses it. */
export interface MediaHostOptions extends Pick<CloudinaryHostOptions, 'timeouts' | 'parts'> {
  /** Uploads that usually run at once in this process; no limit. Cloudinary keeps so many sockets. */
  uploadSlots: number;
  log: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** The host that the settings name, behind a circuit where it is in the network. Rejects with HOST_REJECTED or STORAGE_FULL when the local folder cannot be used. */
export async function createMediaHost(settings: HostSettings, options: MediaHostOptions): Promise<MediaHost> {
  return settings.kind === 'cloudinary'
    ? guardHost(createCloudinaryHost(settings, options), { folder: settings.folder, log: options.log })
    : createLocalHost(settings, options);
}

/** A host that sends nothing for so long is given up. */
const IDLE_MS = 60_000;
const RATE_LIMIT_WAIT_SECONDS = 60;
/** Public delivery may be switched off in the account, for some kinds of files or for all. */
const REFUSALS = new Set([401, 403, 404]);

/**
 * The stored bytes of an asset, as a stream that holds only what is on its way. Rejects with MEDIA_NOT_FOUND where the host
 * has none, else as the methods of MediaHost do; the stream fails when the host falls silent.
 */
export async function openAssetBytes(
  settings: HostSettings,
  asset: HostAsset,
  signal: AbortSignal,
): Promise<Readable> {
  if (settings.kind === 'cloudinary') return download(settings, asset, signal);
  const file = await openLocalFile(settings, asset.url);
  if (file === null) throw new HoldfastError('MEDIA_NOT_FOUND', 'the local host has no bytes of this file');
  return createReadStream(file.path, { signal });
}

/** By the public address of its version, which names no transformation; where that is refused, by a signed one of the API. */
async function download(
  settings: CloudinarySettings,
  asset: HostAsset,
  signal: AbortSignal,
): Promise<Readable> {
  const response = await get(asset.url, signal);
  if (response.statusCode === 200) return response;
  response.resume();
  if (!REFUSALS.has(response.statusCode ?? 0)) throw refusal(response);
  const signed = await get(signedAddress(settings, asset), signal);
  if (signed.statusCode === 200) return signed;
  signed.resume();
  if (signed.statusCode === 404)
    throw new HoldfastError('MEDIA_NOT_FOUND', 'the host has no bytes of this file');
  throw refusal(signed);
}

function signedAddress(settings: CloudinarySettings, { publicId, resourceType, format }: HostAsset): string {
  return loadSdk(settings.apiUrl).utils.private_download_url(
    publicId,
    resourceType === 'raw' ? '' : (format ?? ''),
    {
      cloud_name: settings.cloudName,
      api_key: settings.apiKey,
      api_secret: settings.apiSecret,
      upload_prefix: settings.apiUrl,
      signature_algorithm: settings.signatureAlgorithm,
      agent: http.globalAgent,
      timeout: IDLE_MS,
      resource_type: resourceType,
      type: 'upload',
    },
  );
}

function get(url: string, signal: AbortSignal): Promise<IncomingMessage> {
  const client = url.startsWith('http:') ? http : https;
  return new Promise((resolve, reject) => {
    const request = client.get(url, { signal }, (response) => {
      response.setTimeout(IDLE_MS, () => response.destroy(new HoldfastError('HOST_TIMEOUT')));
      resolve(response);
    });
    request.setTimeout(IDLE_MS, () => request.destroy(new HoldfastError('HOST_TIMEOUT')));
    // Without its message: the address may be a signed one.
    request.on('error', (error: Error & { code?: unknown }) => {
      reject(
        error instanceof HoldfastError || signal.aborted
          ? error
          : toHostError(
              { message: 'the file could not be read', code: error.code },
              () => RATE_LIMIT_WAIT_SECONDS,
            ),
      );
    });
  });
}

function refusal({ statusCode = 0 }: IncomingMessage): HoldfastError {
  return toHostError(
    { message: `the file was answered with ${String(statusCode)}`, http_code: statusCode },
    () => RATE_LIMIT_WAIT_SECONDS,
  );
}
