import { realpath } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import type { LocalHostSettings } from '@holdfast/foundation/config';
import { formats, readHostMetadata } from '../../media/index.js';
import { bytesPath, placeOfRef, readStored, refsFromUrl } from './asset-files.js';
import { toDiskError, unlessMissing } from './disk.js';

/** A stored file, ready to be served. */
export interface LocalFile {
  /** Absolute. Its content never changes. */
  path: string;
  bytes: number;
  /** MD5 in hex. */
  etag: string;
  /** ISO 8601. */
  uploadedAt: string;
  /** As its uploader called it; may hold any character. */
  filename: string;
  contentType: string;
  disposition: 'inline' | 'attachment';
}

/**
 * The file behind a path of the form `/media/<type>/<public id>[.<format>]`, or null. The path is only ever compared,
 * never opened, so nothing in it can leave the folder. Rejects with HOST_REJECTED when the disk fails.
 */
export async function openLocalFile(
  settings: Pick<LocalHostSettings, 'directory'>,
  urlPath: string,
): Promise<LocalFile | null> {
  try {
    for (const { ref, format } of refsFromUrl(urlPath)) {
      const place = placeOfRef(settings.directory, ref);
      const stored = await readStored(place);
      if (stored === null || (format !== null && format !== stored.asset.format)) continue;
      const { known, asset } = stored;
      const path = bytesPath(place, known.token);
      if (!(await isItself(settings.directory, path))) return null;
      const extension = asset.format ?? extname(asset.publicId).slice(1);
      const contentType = shownAs(extension);
      return {
        path,
        bytes: asset.bytes,
        etag: asset.etag ?? known.etag,
        uploadedAt: known.createdAt,
        filename: readHostMetadata(asset)?.fields.filename ?? asset.publicId.replace(/^.*\//, ''),
        contentType: contentType ?? 'application/octet-stream',
        disposition: contentType === undefined ? 'attachment' : 'inline',
      };
    }
    return null;
  } catch (error) {
    throw toDiskError(error);
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
