import { createHash } from 'node:crypto';
import { HoldfastError } from '../../errors/index.js';
import type { Logger } from '../../logging/index.js';
import type { AssetRef, HostFile, MediaHost } from '../media-host.js';
import type { AgentPool } from './agent-pool.js';
import { refuseRenamed } from './altered-upload.js';
import { downloadFile, MAX_FILE_BYTES } from './download-file.js';
import type { HostCaller } from './host-caller.js';
import type { Placement } from './placement.js';
import { readAsset, readDestroyed, readFilePage, type FilePage } from './reply-schemas.js';
import type { AddressOptions, CallOptions, CloudinarySdk } from './sdk.js';
import { downloadDeadlineMs, uploadDeadlineMs, uploadIdleMs, type HostTimeouts } from './timeouts.js';
import { uploadOnce } from './upload-once.js';

export interface FilesParts {
  sdk: CloudinarySdk;
  pool: AgentPool;
  timeouts: HostTimeouts;
  caller: HostCaller;
  place: Placement['place'];
  log: Logger;
}

const PAGE = 500;
const never = new AbortController().signal;

/**
 * Files that are no media: raw assets of another delivery type, which no listing or search of ours covers and which
 * is served under signed addresses only.
 */
export function createFiles({
  sdk,
  pool,
  timeouts,
  caller,
  place,
  log,
}: FilesParts): Pick<MediaHost, 'putFile' | 'readFile' | 'listFiles' | 'removeFile'> {
  const { access, observed, converted, signed, admin } = caller;
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
      uploadOnce(sdk, pool, {
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
          await refuseRenamed({ remove: ({ publicId }) => removeFile(publicId) }, asset, name, log);
        if (asset.publicId !== name || !isSame) throw new HoldfastError('HOST_CONTENT_MISMATCH');
      }),
    readFile: (name, signal, bytes = MAX_FILE_BYTES) =>
      converted(signal, () => {
        const lease = pool.lease('file');
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
