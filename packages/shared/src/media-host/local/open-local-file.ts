import { realpath } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import type { LocalHostSettings } from '@holdfast/foundation/config';
import { readHostMetadata } from '../../media/index.js';
import { bytesPath, placeOfRef, readStored, refsFromUrl } from './asset-files.js';
import { toDiskError, unlessMissing } from './disk.js';

/** A stored file, ready to be served. */
export interface LocalFile extends Presentation {
  /** Absolute. Its content never changes. */
  path: string;
  bytes: number;
  /** MD5 in hex. */
  etag: string;
  /** ISO 8601. */
  uploadedAt: string;
  /** As its uploader called it; may hold any character. */
  filename: string;
}

/** Whether no link leads there from the media folder, which may itself be behind one. */
async function isItself(directory: string, path: string): Promise<boolean> {
  const [root, file] = await Promise.all([directory, path].map((one) => unlessMissing(realpath(one))));
  return typeof root === 'string' && file === join(root, relative(directory, path));
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
      return {
        path,
        bytes: asset.bytes,
        etag: asset.etag ?? known.etag,
        uploadedAt: known.createdAt,
        filename: readHostMetadata(asset)?.fields.filename ?? asset.publicId.replace(/^.*\//, ''),
        ...presentationOf(extension),
      };
    }
    return null;
  } catch (error) {
    throw toDiskError(error);
  }
}

/** What browsers may show in place: formats that cannot carry a script that runs. Anything else is offered as a download. */
const shown: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  heic: 'image/heic',
  heif: 'image/heif',
  bmp: 'image/bmp',
  ico: 'image/x-icon',
  tiff: 'image/tiff',
  jxl: 'image/jxl',
  pdf: 'application/pdf',
  mp4: 'video/mp4',
  mov: 'video/quicktime',
  webm: 'video/webm',
  mkv: 'video/x-matroska',
  avi: 'video/x-msvideo',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  aac: 'audio/aac',
  wav: 'audio/wav',
  ogg: 'audio/ogg',
  flac: 'audio/flac',
};

interface Presentation {
  contentType: string;
  disposition: 'inline' | 'attachment';
}

/** `format` is an extension without its dot. */
function presentationOf(format: string): Presentation {
  const contentType = new Map(Object.entries(shown)).get(format.toLowerCase());
  return contentType === undefined
    ? { contentType: 'application/octet-stream', disposition: 'attachment' }
    : { contentType, disposition: 'inline' };
}
