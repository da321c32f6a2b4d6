import { createHash } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { HoldfastError } from '@holdfast/foundation/errors';
import { abortReason, isAborted, onAbort } from '@holdfast/foundation/lifecycle';
import type { AssetRef, HostFile, MediaHost } from '../media-host.js';
import { refuseRenamed } from './assets.js';
import { downloadDeadlineMs, uploadDeadlineMs, uploadIdleMs, type Connection } from './connection.js';
import type { Placement } from './placement.js';
import { type FilePage, readAsset, readDestroyed, readFilePage } from './replies.js';
import type { AddressOptions, CallLimits, CallOptions, Lease } from './sdk.js';
import { uploadOnce } from './upload.js';

const PAGE = 500;
const never = new AbortController().signal;

/**
 * Files that are no media: raw assets of another delivery type, which no listing or search of ours covers and which
 * is served under signed addresses only.
 */
export function createFiles(
  connection: Connection,
  place: Placement['place'],
): Pick<MediaHost, 'putFile' | 'readFile' | 'listFiles' | 'removeFile'> {
  const { sdk, timeouts, access, observed, converted, signed, admin } = connection;
  const address = (call: CallOptions): AddressOptions => ({
    ...call,
    resource_type: 'raw',
    type: 'authenticated',
  });

  const upload = (name: string, body: Buffer, signal: AbortSignal): Promise<unknown> => {
    const ref: AssetRef = { publicId: name, resourceType: 'raw' };
    const slash = name.lastIndexOf('/');
    // In a folder of their own, not at the root of the Media Library.
    const shown = {
      folder: name.slice(0, Math.max(slash, 0)),
      metadata: { displayName: name.slice(slash + 1) },
    };
    return place({ ref, ...shown, kind: 'upload' }, (placement) =>
      uploadOnce(connection, {
        optionsFor: (agent) => ({
          ...address(access(agent, uploadIdleMs(timeouts, body.length))),
          public_id: name,
          overwrite: false,
          filename: 'file',
          disable_promises: true,
          ...placement,
        }),
        body: [body],
        signal,
        deadlineMs: uploadDeadlineMs(timeouts, body.length),
      }),
    );
  };

  const removeFile: MediaHost['removeFile'] = (name, signal) =>
    signed(
      signal,
      (call) => sdk.uploader.destroy(name, { ...address(call), invalidate: true }),
      (reply) => (readDestroyed(reply) === 'ok' ? 'removed' : 'absent'),
    );

  return {
    putFile: (name, body, signal) =>
      observed(signal, async () => {
        const { asset, existed } = readAsset(await upload(name, body, signal ?? never));
        const md5 = createHash('md5').update(body).digest('hex');
        const isSame = asset.bytes === body.length && (asset.etag === null || asset.etag === md5);
        if (isSame && !existed && asset.publicId !== name)
          await refuseRenamed(
            { remove: ({ publicId }) => removeFile(publicId) },
            asset,
            name,
            connection.log,
          );
        if (asset.publicId !== name || !isSame) throw new HoldfastError('HOST_CONTENT_MISMATCH');
      }),
    readFile: (name, signal, bytes = MAX_FILE_BYTES) =>
      converted(signal, () => {
        const lease = connection.uploads.lease('file');
        const url = sdk.utils.private_download_url(name, '', address(access(lease.agent, timeouts.pageMs)));
        const deadlineMs = downloadDeadlineMs(timeouts, Math.min(bytes, MAX_FILE_BYTES));
        return downloadFile(url, lease, { deadlineMs, idleMs: timeouts.pageMs, signal });
      }),
    listFiles: async (prefix, signal) => {
      const files: HostFile[] = [];
      let cursor: string | null = null;
      do {
        const after: string | null = cursor;
        const page: FilePage = await admin(
          signal,
          (call) =>
            sdk.api.resources({
              ...address(call),
              prefix,
              max_results: PAGE,
              ...(after === null ? {} : { next_cursor: after }),
            }),
          (reply) => readFilePage(reply, after),
        );
        files.push(...page.files);
        cursor = page.nextCursor;
      } while (cursor !== null);
      return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },
    removeFile,
  };
}

/** Files of ours are smaller; more than this is not ours, and must not fill the memory. */
const MAX_FILE_BYTES = 20_000_000;
const MAX_REDIRECTS = 3;

interface DownloadLimits extends CallLimits {
  /** Without a byte for so long the download is given up. */
  idleMs: number;
}

/**
 * The bytes under a signed address, or null where there is no such file. Settles by the deadline at the latest, and earlier
 * when the host falls silent (HOST_TIMEOUT); rejects with what `toHostError` reads, which never repeats the address.
 */
export function downloadFile(
  url: string,
  lease: Lease,
  { deadlineMs, idleMs, signal }: DownloadLimits,
): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const settle = (keep: boolean): void => {
      clearTimeout(deadline);
      clearTimeout(idle);
      forgetAbort();
      if (keep) lease.release();
      else lease.destroy();
    };
    const fail = (error: unknown): void => {
      settle(false);
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- converted once, by the caller
      reject(error);
    };
    const timeOut = (): void => fail(new HoldfastError('HOST_TIMEOUT'));
    const deadline = setTimeout(timeOut, deadlineMs);
    const idle = setTimeout(timeOut, idleMs);
    const forgetAbort = onAbort(signal, fail);
    if (signal !== undefined && isAborted(signal)) {
      fail(abortReason(signal));
      return;
    }
    const client = url.startsWith('http:') ? http : https;
    const fetch = (from: string, redirectsLeft: number): void => {
      const request = client.get(from, { agent: lease.agent }, (response) => {
        const status = response.statusCode ?? 0;
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          idle.refresh();
          bytes += chunk.length;
          if (bytes > MAX_FILE_BYTES) fail(new HoldfastError('HOST_LIMIT'));
          else chunks.push(chunk);
        });
        response.on('error', (error) => fail(withoutAddress(error)));
        response.on('end', () => {
          const { location } = response.headers;
          const next = status >= 300 && status < 400 ? redirectTarget(from, location ?? '') : null;
          if (response.complete && next !== null && redirectsLeft > 0) fetch(next, redirectsLeft - 1);
          else if (!response.complete || (status !== 200 && status !== 404))
            fail({ message: `the file was answered with ${String(status)}`, http_code: status });
          else {
            settle(true);
            resolve(status === 404 ? null : Buffer.concat(chunks));
          }
        });
      });
      request.on('error', (error) => fail(withoutAddress(error)));
    };
    fetch(url, MAX_REDIRECTS);
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

function withoutAddress(error: Error): { message: string; code: unknown } {
  return { message: 'the file could not be read', code: 'code' in error ? error.code : undefined };
}
