import http from 'node:http';
import https from 'node:https';
import { HoldfastError } from '../../errors/index.js';
import { abortReason, isAborted, onAbort } from '../../lifecycle/index.js';
import type { Lease } from './agent-pool.js';
import type { CallLimits } from './host-call.js';

/** Files of ours are smaller; more than this is not ours, and must not fill the memory. */
const MAX_BYTES = 20_000_000;

/**
 * The bytes under a signed address, or null where there is no such file. Settles by the deadline at the latest
 * (HOST_TIMEOUT); rejects with what `toHostError` reads, which never repeats the address.
 */
export function downloadFile(
  url: string,
  lease: Lease,
  { deadlineMs, signal }: CallLimits,
): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const settle = (keep: boolean): void => {
      clearTimeout(timer);
      forgetAbort();
      if (keep) lease.release();
      else lease.destroy();
    };
    const fail = (error: unknown): void => {
      settle(false);
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- converted once, by the caller
      reject(error);
    };
    const timer = setTimeout(() => fail(new HoldfastError('HOST_TIMEOUT')), deadlineMs);
    const forgetAbort = onAbort(signal, fail);
    if (signal !== undefined && isAborted(signal)) {
      fail(abortReason(signal));
      return;
    }
    const client = url.startsWith('http:') ? http : https;
    const request = client.get(url, { agent: lease.agent }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BYTES) fail(new HoldfastError('HOST_LIMIT'));
        else chunks.push(chunk);
      });
      response.on('error', (error) => fail(withoutAddress(error)));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        if (!response.complete || (status !== 200 && status !== 404)) {
          fail({ message: `the file was answered with ${String(status)}`, http_code: status });
          return;
        }
        settle(true);
        resolve(status === 404 ? null : Buffer.concat(chunks));
      });
    });
    request.on('error', (error) => fail(withoutAddress(error)));
  });
}

function withoutAddress(error: Error): { message: string; code: unknown } {
  return { message: 'the file could not be read', code: 'code' in error ? error.code : undefined };
}
