import { HoldfastError } from '../../errors/index.js';
import type { Logger } from '../../logging/index.js';
import type { HostAsset, MediaHost } from '../media-host.js';

const REMOVE_WITHIN_MS = 5_000;
const TRIES = 3;

/**
 * Removes what an upload became under another name than it was sent with, and throws HOST_ALTERS_UPLOADS: the id of a media is in
 * its public id. Nobody else would look for it there.
 */
export async function refuseRenamed(
  host: Pick<MediaHost, 'remove'>,
  asset: HostAsset,
  sentAs: string,
  log: Logger,
): Promise<never> {
  for (let left = TRIES; left > 0; left -= 1) {
    try {
      await host.remove(asset, AbortSignal.timeout(REMOVE_WITHIN_MS));
      break;
    } catch (error) {
      if (left === 1) log.warn('host.renamed_upload_left', { publicId: asset.publicId, error });
    }
  }
  throw new HoldfastError(
    'HOST_ALTERS_UPLOADS',
    `the account stored ${sentAs} as ${asset.publicId}: remove the folder or prefix from its default upload preset`,
  );
}
