import { realpath } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import type { LocalHostSettings } from '@holdfast/foundation/config';
import { formats, readHostMetadata, resourceTypes } from '../../media/index.js';
import { bytesPath, placeOfRef, readStored } from './asset-files.js';
import { toDiskError, unlessMissing } from './disk.js';

/** A stored file, ready to be served. */
export type LocalFile = NonNullable<Awaited<ReturnType<typeof openLocalFile>>>;

/**
 * The file behind a path of the form `/media/<type>/<public id>[.<format>]`, or null: an absolute path whose content never changes, and what
 * is to be said of it. The given path is only ever compared, never opened, so nothing in it can leave the folder. Rejects with
 * HOST_REJECTED when the disk fails.
 */
export async function openLocalFile({ directory }: Pick<LocalHostSettings, 'directory'>, urlPath: string) {
  const [, type, name = ''] = /^\/media\/([^/]+)\/([^]+)$/.exec(decode(urlPath)) ?? [];
  const resourceType = resourceTypes.find((known) => known === type);
  if (resourceType === undefined) return null;
  try {
    for (const publicId of new Set([name.replace(/\.[^./]*$/, ''), name])) {
      const place = placeOfRef(directory, { resourceType, publicId });
      const stored = await readStored(place);
      if (stored === null || decode(stored.asset.url) !== decode(urlPath)) continue;
      const { token, asset } = stored;
      const path = bytesPath(place, token);
      if (!(await isItself(directory, path))) return null;
      const contentType = shownAs(asset.format ?? extname(publicId).slice(1));
      return {
        path,
        bytes: asset.bytes,
        /** MD5 in hex. */
        etag: asset.etag ?? '',
        /** ISO 8601. */
        uploadedAt: asset.uploadedAt,
        /** As its uploader called it; may hold any character. */
        filename: readHostMetadata(asset)?.fields.filename ?? publicId.replace(/^.*\//, ''),
        contentType: contentType ?? 'application/octet-stream',
        disposition: contentType === undefined ? ('attachment' as const) : ('inline' as const),
      };
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

/** Formats in which a script may run. Like files of no known format they are offered as downloads; all others browsers may show. */
const active = new Set(['svg', 'eps', 'ai']);

function shownAs(extension: string): string | undefined {
  const format = extension.toLowerCase();
  const types = new Map(Object.entries({ ...formats.image, ...formats.video })).get(format);
  return active.has(format) ? undefined : types?.[0];
}
