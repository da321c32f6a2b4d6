import http from 'node:http';
import https from 'node:https';
import { HoldfastError } from '../../errors/index.js';
import { abortReason, isAborted, onAbort } from '../../lifecycle/index.js';
import type { Lease } from './agent-pool.js';
import type { CallLimits } from './host-call.js';

/** Files of ours are smaller; more than this is not ours, and must not fill the memory. */
export const MAX_FILE_BYTES = 20_000_000;
const MAX_REDIRECTS = 3;

export interface DownloadLimits extends CallLimits {
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
