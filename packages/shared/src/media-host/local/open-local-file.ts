import { realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { resourceTypes } from '../../media/index.js';
import { placeOfRef, readStored } from './asset-files.js';
import { toDiskError, unlessMissing } from './disk.js';

/**
 * The asset behind a path of the form `/media/<type>/<public id>[.<format>]`, with the absolute path of its bytes, whose content never
 * changes; or null. The given path is only ever compared, never opened, so nothing in it can leave the folder. Rejects with HOST_REJECTED
 * when the disk fails.
 */
export async function openLocalFile(directory: string, urlPath: string) {
  const [, type, name = ''] = /^\/media\/([^/]+)\/([^]+)$/.exec(decode(urlPath)) ?? [];
  const resourceType = resourceTypes.find((known) => known === type);
  if (resourceType === undefined) return null;
  try {
    for (const publicId of new Set([name.replace(/\.[^./]*$/, ''), name])) {
      const stored = await readStored(placeOfRef(directory, { resourceType, publicId }));
      if (stored !== null && decode(stored.asset.url) === decode(urlPath))
        return (await isItself(directory, stored.path)) ? stored : null;
    }
    return null;
  } catch (error) {
    throw toDiskError(error);
  }
}

/** Empty for what is not encoded as addresses are. */
function decode(urlPath: string): string {
  try {
    return decodeURIComponent(urlPath);
  } catch {
    return '';
  }
}

/** Whether no link leads there from the media folder, which may itself be behind one. */
async function isItself(directory: string, path: string): Promise<boolean> {
  const [root, file] = await Promise.all([directory, path].map((one) => unlessMissing(realpath(one))));
  return typeof root === 'string' && file === join(root, relative(directory, path));
}
