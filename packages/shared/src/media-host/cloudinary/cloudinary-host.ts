import type { CloudinarySettings } from '@holdfast/foundation/config';
import type { HostCalls } from '../guarded-host.js';
import { createAssets, refuseRenamed, sameAsset } from './assets.js';
import { createFiles } from './files.js';
import { createListings } from './listings.js';
import { createPlacement } from './placement.js';
import { readAsset } from './replies.js';
import { connect, type ConnectionOptions } from './sdk.js';
import { createUpload, type PartSizes } from './upload.js';

export interface CloudinaryHostOptions extends ConnectionOptions {
  /** Tests cut files into parts at smaller sizes. */
  parts?: PartSizes;
}

/** Cloudinary through its SDK. Throws CONFIG_INVALID when this process already uses the SDK with the other protocol. */
export function createCloudinaryHost(
  settings: CloudinarySettings,
  options: CloudinaryHostOptions,
): HostCalls {
  const connection = connect(settings, options);
  const { place, isTaken } = createPlacement(connection);
  const assets = createAssets(connection, place);
  const upload = createUpload(connection, place, options.parts);
  return {
    kind: 'cloudinary',
    identity: `cloudinary:${settings.cloudName}`,
    put: async (request) => {
      const { ref, metadata, signal } = request;
      const { asset, existed } = readAsset(await upload(request));
      const isOurs = !existed && asset.context['hf_id'] === metadata.context['hf_id'];
      if (isOurs && asset.publicId !== ref.publicId) {
        const names = { storedAs: asset.publicId, sentAs: ref.publicId };
        await refuseRenamed((within) => assets.remove(asset, within), names, options.log);
      }
      sameAsset(asset, ref);
      // The short answer about an older asset may lack its metadata.
      return { asset: existed ? ((await assets.find(ref, signal)) ?? asset) : asset, existed };
    },
    ...assets,
    ...createListings(connection),
    ...createFiles(connection, place),
    budget: connection.budget,
    placesUploads: isTaken,
    hostNow: connection.hostNow,
    meteredCalls: connection.metered,
    freeBytes: () => Promise.resolve(null),
    close: async () => connection.close(),
  };
}
