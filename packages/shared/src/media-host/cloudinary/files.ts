import { createHash } from 'node:crypto';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { HoldfastError } from '@holdfast/foundation/errors';
import {
  type AssetPage,
  type HostAsset,
  type HostFile,
  type MediaHost,
  statusOf,
  unreadableAnswer,
} from '../media-host.js';
import { addressOf, destroy, refuseRenamed } from './assets.js';
import { toHostError } from './errors.js';
import type { Placement } from './placement.js';
import { readAsset, readPage } from './replies.js';
import { type Connection, withinLimits } from './sdk.js';

const PAGE = 500;
const address = { resource_type: 'raw', type: 'authenticated' } as const;
/** Files of ours are smaller; more than this is not ours, and must not fill the memory. */
const MAX_FILE_BYTES = 20_000_000;
/** Half the speed of a slow connection: a trickling host must not delay a recovery for long. */
const SLOWEST_BYTES_PER_MS = 50;

/**
 * Files of ours beside the assets: raw assets of another delivery type, which no listing or search of ours covers and which
 * is served under signed addresses only.
 */
export function createFiles(connection: Connection, { place }: Placement) {
  const { sdk, credentials, timeouts, upload, admin } = connection;
  return {
    putFile: async (name, body, signal) => {
      // In a folder of their own, not at the root of the Media Library.
      const folder = name.slice(0, Math.max(name.lastIndexOf('/'), 0));
      const reply = await place({ asset_folder: folder }, (placed) =>
        upload({ ...address, public_id: name, ...placed }, [body], { bytes: body.length, signal }),
      );
      const { asset, existed } = readAsset(reply);
      const md5 = createHash('md5').update(body).digest('hex');
      const isSame = asset.bytes === body.length && (asset.etag ?? md5) === md5;
      const storedAs = asset.publicId;
      if (isSame && !existed && storedAs !== name) await refuseRenamed(connection, storedAs, name, address);
      if (storedAs !== name || !isSame) throw new HoldfastError('HOST_CONTENT_MISMATCH');
    },
    readFile: async (name, signal, bytes = MAX_FILE_BYTES) => {
      const url = sdk.utils.private_download_url(name, '', { ...credentials, ...address });
      const deadlineMs = timeouts.pageMs + Math.min(bytes, MAX_FILE_BYTES) / SLOWEST_BYTES_PER_MS;
      const ending = new AbortController();
      try {
        return await withinLimits({ deadlineMs, signal }, () => readAll(url, timeouts.pageMs, ending.signal));
      } finally {
        ending.abort();
      }
    },
    listFiles: async (prefix, signal) => {
      const files: HostFile[] = [];
      let cursor: string | null = null;
      do {
        const options = { ...address, prefix, max_results: PAGE, next_cursor: cursor };
        const reply = await admin(signal, (call) => sdk.api.resources({ ...call, ...options }));
        const { assets, unreadable, nextCursor }: AssetPage = readPage(reply, cursor);
        if (unreadable.length > 0) throw unreadableAnswer('the media host shows files that cannot be read');
        for (const { publicId: name, bytes, createdAt: storedAt } of assets)
          files.push({ name, bytes, storedAt });
        cursor = nextCursor;
      } while (cursor !== null);
      return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },
    removeFile: (name, signal) => destroy(connection, name, address, signal),
  } satisfies Partial<MediaHost>;
}

/** All bytes under an address, or null where there is nothing. */
async function readAll(url: string, idleMs: number, signal: AbortSignal): Promise<Buffer | null> {
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of await download(url, idleMs, signal)) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > MAX_FILE_BYTES) throw new HoldfastError('HOST_LIMIT');
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (statusOf(error) === 404) return null;
    throw withoutAddress(error);
  }
}

/** A host that sends nothing for this long is given up. */
const SILENT_MS = 60_000;
/** Public delivery may be switched off in the account, for some kinds of files or for all. */
const REFUSALS = new Set<number | null>([401, 403, 404]);

/**
 * The bytes of an asset, by the public address of its version, which names no transformation; where that is refused, by a signed one of
 * the API, which gives them for an hour, whatever the account delivers publicly. Rejects with MEDIA_NOT_FOUND where the host has none.
 */
export function openAsset({ sdk, credentials }: Connection, asset: HostAsset, signal: AbortSignal) {
  const format = asset.resourceType === 'raw' ? '' : (asset.format ?? '');
  const options = { ...credentials, ...addressOf(asset) };
  return download(asset.url, SILENT_MS, signal)
    .catch((error: unknown) => {
      if (!REFUSALS.has(statusOf(error))) throw error;
      return download(sdk.utils.private_download_url(asset.publicId, format, options), SILENT_MS, signal);
    })
    .catch((error: unknown) => {
      if (statusOf(error) !== 404) throw error;
      throw new HoldfastError('MEDIA_NOT_FOUND', 'the host has no bytes of this file', { cause: error });
    });
}

const MAX_REDIRECTS = 3;

/**
 * The answer 200 under an address or where it redirects to. The stream fails when the host sends nothing for so long (HOST_TIMEOUT) or
 * the signal aborts.
 */
async function download(
  url: string,
  idleMs: number,
  signal: AbortSignal,
  redirectsLeft = MAX_REDIRECTS,
): Promise<IncomingMessage> {
  const response = await get(url, idleMs, signal);
  const { statusCode: status = 0, headers } = response;
  if (status === 200) return response;
  response.resume();
  const next = status >= 300 && status < 400 ? redirectTarget(url, headers.location ?? '') : null;
  if (next !== null && redirectsLeft > 0) return download(next, idleMs, signal, redirectsLeft - 1);
  throw toHostError({ message: `the file was answered with ${String(status)}`, http_code: status });
}

function get(url: string, idleMs: number, signal: AbortSignal): Promise<IncomingMessage> {
  const client = url.startsWith('http:') ? http : https;
  return new Promise((resolve, reject) => {
    const request = client.get(url, { signal }, (response) => {
      response.setTimeout(idleMs, () => response.destroy(new HoldfastError('HOST_TIMEOUT')));
      resolve(response);
    });
    request.setTimeout(idleMs, () => request.destroy(new HoldfastError('HOST_TIMEOUT')));
    request.on('error', (error) => reject(withoutAddress(error)));
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
    : toHostError({ message: 'the file could not be read', code });
}
