import { join } from 'node:path';
import { resourceTypes } from '../../media/index.js';
import { walkAssets } from './walk-assets.js';

/** Whether this media folder of a local host has any asset. Rejects with the error of the disk. */
export async function holdsMedia(directory: string): Promise<boolean> {
  for (const type of resourceTypes)
    for await (const asset of walkAssets(join(directory, type), { after: null }))
      if (asset.assetId !== '') return true;
  return false;
}
