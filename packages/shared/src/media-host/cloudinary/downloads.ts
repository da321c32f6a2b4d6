import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import type { CloudinarySettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { statusOf } from '../failures.js';
import type { HostAsset } from '../media-host.js';
import { FALLBACK_SECONDS, toHostError } from './errors.js';
import { type RequestLimits, withinLimits } from './sdk.js';
import { signedAddress } from './signing.js';

/** A host that sends nothing for this long is given up. */
const IDLE_MS = 60_000;
/** Public delivery may be switched off in the account, for some kinds of files or for all. */
const REFUSALS = new Set<number | null>([401, 403, 404]);

/**
 * The bytes of an asset, by the public address of its version, which names no transformation; where that is refused, by a signed one of
 * the API. Rejects with MEDIA_NOT_FOUND where the host has none.
 */
export async function openAsset(
  settings: CloudinarySettings,
  asset: HostAsset,
  signal: AbortSignal,
): Promise<Readable> {
  const limits = { idleMs: IDLE_MS, signal };
  try {
    return await openDownload(asset.url, limits);
  } catch (error) {
    if (!REFUSALS.has(statusOf(error))) throw error;
  }
  try {
    const format = asset.resourceType === 'raw' ? '' : (asset.format ?? '');
    return await openDownload(signedAddress(settings, asset, 'upload', format), limits);
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    throw new HoldfastError('MEDIA_NOT_FOUND', 'the host has no bytes of this file', { cause: error });
  }
}

/** Files of ours are smaller; more than this is not ours, and must not fill the memory. */
export const MAX_FILE_BYTES = 20_000_000;

/** All bytes under an address, or null where there is nothing. Settles within its limits. */
export async function download(
  url: string,
  limits: RequestLimits & { idleMs: number },
): Promise<Buffer | null> {
  return withinLimits(limits, async (signal) => {
    try {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of await openDownload(url, { ...limits, signal })) {
        chunks.push(chunk as Buffer);
        bytes += (chunk as Buffer).length;
        if (bytes > MAX_FILE_BYTES) throw new HoldfastError('HOST_LIMIT');
      }
      return Buffer.concat(chunks);
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw withoutAddress(error);
    }
  });
}

interface DownloadLimits {
  /** Without a byte for so long the download is given up. */
  idleMs: number;
  signal: AbortSignal;
}

const MAX_REDIRECTS = 3;

/** The answer 200 under an address or where it redirects to. The stream fails when the host falls silent (HOST_TIMEOUT) or the signal aborts. */
async function openDownload(
  url: string,
  limits: DownloadLimits,
  redirectsLeft = MAX_REDIRECTS,
): Promise<IncomingMessage> {
  const response = await get(url, limits);
  const { statusCode: status = 0, headers } = response;
  if (status === 200) return response;
  response.resume();
  const next = status >= 300 && status < 400 ? redirectTarget(url, headers.location ?? '') : null;
  if (next !== null && redirectsLeft > 0) return openDownload(next, limits, redirectsLeft - 1);
  const refusal = { message: `the file was answered with ${String(status)}`, http_code: status };
  throw toHostError(refusal, () => FALLBACK_SECONDS);
}

function get(url: string, { idleMs, signal }: DownloadLimits): Promise<IncomingMessage> {
  const client = url.startsWith('http:') ? http : https;
  return new Promise((resolve, reject) => {
    const request = client.get(url, { signal }, (response) => {
      response.setTimeout(idleMs, () => response.destroy(new HoldfastError('HOST_TIMEOUT')));
      resolve(response);
    });
    request.setTimeout(idleMs, () => request.destroy(new HoldfastError('HOST_TIMEOUT')));
    request.on('error', (error) => reject(signal.aborted ? error : withoutAddress(error)));
  });
}

/**
 * Where a redirect of a download leads, or null where it must not be followed: what we would fetch and trust there is the
 * catalog, so only the same host counts and Cloudinary's own names, over the same protocol.
 */
export function redirectTarget(from: string, location: string): string | null {
  if (location === '' || !URL.canParse(location, from)) return null;
  const [source, target] = [new URL(from), new URL(location, from)];
  const isOwn =
    target.host === source.host || (target.port === '' && target.hostname.endsWith('.cloudinary.com'));
  const isPlain = target.username === '' && target.password === '';
  return isOwn && isPlain && target.protocol === source.protocol ? target.href : null;
}

/** The address may be a signed one, and messages may repeat it. */
function withoutAddress(error: unknown): HoldfastError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return error instanceof HoldfastError
    ? error
    : toHostError({ message: 'the file could not be read', code }, () => FALLBACK_SECONDS);
}
