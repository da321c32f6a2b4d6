import { createHash } from 'node:crypto';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { AssetRef, HostFile, MediaHost } from '../media-host.js';
import { refuseRenamed } from './assets.js';
import { download, MAX_FILE_BYTES } from './downloads.js';
import type { Placement } from './placement.js';
import { readAsset, readDestroyed, readFilePage } from './replies.js';
import type { Connection } from './sdk.js';
import { signedAddress } from './signing.js';
import { uploadOnce } from './upload.js';

const PAGE = 500;
const address = { resource_type: 'raw', type: 'authenticated' } as const;
/** Half the speed of a slow connection: a trickling host must not delay a recovery for long. */
const SLOWEST_BYTES_PER_MS = 50;

/**
 * Files of ours beside the assets: raw assets of another delivery type, which no listing or search of ours covers and which
 * is served under signed addresses only.
 */
export function createFiles(
  connection: Connection,
  place: Placement['place'],
): Pick<MediaHost, 'putFile' | 'readFile' | 'listFiles' | 'removeFile'> {
  const { sdk, settings, timeouts, signed, admin, log } = connection;
  const refOf = (name: string): AssetRef => ({ publicId: name, resourceType: 'raw' });

  const removeFile: MediaHost['removeFile'] = async (name, signal) =>
    readDestroyed(
      await signed(signal, (call) => sdk.uploader.destroy(name, { ...call, ...address, invalidate: true })),
    );

  return {
    putFile: async (name, body, signal) => {
      // In a folder of their own, not at the root of the Media Library.
      const folder = name.slice(0, Math.max(name.lastIndexOf('/'), 0));
      const reply = await place({ asset_folder: folder }, (placement) =>
        uploadOnce(connection, { ...address, public_id: name, ...placement }, [body], {
          bytes: body.length,
          signal,
        }),
      );
      const { asset, existed } = readAsset(reply);
      const md5 = createHash('md5').update(body).digest('hex');
      const isSame = asset.bytes === body.length && (asset.etag ?? md5) === md5;
      const storedAs = asset.publicId;
      if (isSame && !existed && storedAs !== name)
        await refuseRenamed((within) => removeFile(storedAs, within), { storedAs, sentAs: name }, log);
      if (storedAs !== name || !isSame) throw new HoldfastError('HOST_CONTENT_MISMATCH');
    },
    readFile: (name, signal, bytes = MAX_FILE_BYTES) =>
      download(signedAddress(settings, refOf(name), 'authenticated'), {
        deadlineMs: timeouts.pageMs + Math.min(bytes, MAX_FILE_BYTES) / SLOWEST_BYTES_PER_MS,
        idleMs: timeouts.pageMs,
        signal,
      }),
    listFiles: async (prefix, signal) => {
      const files: HostFile[] = [];
      let cursor: string | null = null;
      do {
        const from: { next_cursor?: string } = cursor === null ? {} : { next_cursor: cursor };
        const reply = await admin(signal, (call) =>
          sdk.api.resources({ ...call, ...address, prefix, max_results: PAGE, ...from }),
        );
        const page = readFilePage(reply, cursor);
        files.push(...page.files);
        cursor = page.nextCursor;
      } while (cursor !== null);
      return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    },
    removeFile,
  };
}
